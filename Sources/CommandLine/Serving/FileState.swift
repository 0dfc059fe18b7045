import Foundation
import Measurement
import RunStore

/// What a file or folder is like, so that a change shows: names, sizes and times, nothing of the content.
enum FileState {
  static func text(_ path: String) -> String {
    if RunFolder.isRun(at: path) {
      let files = [RunLayout.index, RunLayout.records, RunLayout.interventions]
      return files.map { of(path + "/" + $0) }.joined() + analysis(ofRun: path)
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    let runs = names.sorted().map { path + "/" + $0 }.filter { RunFolder.isRun(at: $0) }
    let inRuns = runs.flatMap { run in [RunLayout.records, RunLayout.analysis].map { of(run + "/" + $0) } }
    let own = [path, path + "/" + RunLayout.analysis, path + "/" + FollowOptions.stateName + "/" + RunLayout.analysis]
    return (own.map(of) + inRuns).joined()
  }

  /// What an analysis of a run depends on: its checkpoints, and the one that there may be.
  static func analysis(ofRun path: String) -> String {
    let steps = (try? RunLayout.steps(in: path)) ?? []
    return ([RunLayout.analysis] + steps.map(RunLayout.checkpoint)).map { of(path + "/" + $0) }.joined()
  }

  private static func of(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "\(path) –\n" }
    return "\(path) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)\n"
  }
}
