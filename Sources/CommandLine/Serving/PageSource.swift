import Diagnosis
import Foundation
import Measurement
import OrderedCollections
import Reporting
import RunStore
import Training
import Weights

/// Makes the page of some files, and makes it again where they have changed.
final class PageSource {
  private let files: [String]
  private let depth: MeasurementDepth
  private var shown: String?
  private var lastProblem: String?
  /// Runs that were measured here, by path, with what they were measured of.
  private var measured: [String: (checkpoints: String, analysis: Analysis)] = [:]

  init(_ files: [String], depth: MeasurementDepth) {
    (self.files, self.depth) = (files, depth)
  }

  /// Throws `.cannotOpen` for a file that is not there.
  func requireFiles() throws(FileError) {
    for path in files where !FileManager.default.fileExists(atPath: path) {
      throw FileError(.cannotOpen, path: path, "no such file or folder", remedy: "Check the path")
    }
  }

  /// The page before anything is known.
  var waiting: String { html(of: [], others: []) }

  /// Looks at the files, and renews the page where they have changed.
  ///
  /// - Returns: what keeps the page from being renewed, once for each problem.
  func refresh(_ page: ServedPage) -> String? {
    let state = files.map(FileState.text).joined()
    do {
      if state != shown {
        page.show(try html())
        shown = state
      }
      lastProblem = nil
      page.say(status)
      return nil
    } catch {
      let problem = "\(error)"
      page.say("Not up to date: \(problem)")
      defer { lastProblem = problem }
      return problem == lastProblem ? nil : problem
    }
  }

  private func html() throws -> String {
    let sources = try files.map(source)
    let paths = sources.flatMap(\.analysed)
    let runs = try zip(paths, Compare.names(of: paths)).map(read)
    return html(of: runs, others: sources.flatMap(\.mapped))
  }

  private func html(of runs: [ComparedRun], others: [MappedRun]) -> String {
    ReportPage(Report(runs, others: others, command: ["report"] + files, version: programVersion), isLive: true).html
  }

  private func source(_ path: String) throws -> ReportSource {
    // A run that is going on need not have an analysis.
    RunFolder.isRun(at: path) ? ReportSource(run: path) : try ReportSource(path)
  }

  private func read(_ path: String, name: String) throws -> ComparedRun {
    guard RunFolder.isRun(at: path) else { return try Compare.read(path, name: name) }
    return try Compare.read(
      path, name: name, analysis: try analysis(ofRun: path), records: try AnalysedRun.records(at: path))
  }

  /// The run's own analysis where it knows every checkpoint, else one that is made here.
  private func analysis(ofRun path: String) throws -> Analysis {
    let state = FileState.checkpoints(ofRun: path)
    if let known = measured[path], known.checkpoints == state { return known.analysis }
    let subject = GateSubject(
      path: path, base: nil, initial: nil, method: nil, depth: depth, note: { _ in }, progress: nil)
    let analysis = try subject.analysis()
    measured[path] = (state, analysis)
    return analysis
  }
}

// MARK: - How runs are going

extension PageSource {
  private var status: String {
    let now = Date()
    let texts = files.filter { RunFolder.isRun(at: $0) }.compactMap { path in
      RunProgress(ofRun: path).map {
        files.count > 1 ? "\(Compare.names(of: [path])[0]): \($0.text(now: now))" : $0.text(now: now)
      }
    }
    return texts.joined(separator: " · ")
  }
}

/// How far a run is, by its records alone: whether its process lives is not known.
struct RunProgress {
  private let step: Int
  private let steps: Int?
  private let hasStopped: Bool
  private let lastChange: Date
  private let secondsPerStep: Double

  /// Nil where there are no records.
  init?(ofRun path: String) {
    let file = path + "/" + RunLayout.records
    guard let records = try? TrainingRecords(path: file).records, let last = records.last,
      let change = (try? FileManager.default.attributesOfItem(atPath: file))?[.modificationDate] as? Date
    else { return nil }
    let seconds = records.suffix(20).compactMap { $0.values["seconds"] ?? nil }
    step = last.step
    steps = try? RunFolder(path: path).identity.configuration["steps"]?.int
    hasStopped = Intervention.stop(behind: last.step, in: path) != nil
    lastChange = change
    secondsPerStep = seconds.isEmpty ? 0 : seconds.reduce(0, +) / Double(seconds.count)
  }

  func text(now: Date) -> String {
    let place = "step \(step)" + (steps.map { " of \($0)" } ?? "")
    if hasStopped { return "\(place), stopped by its gate" }
    if step == steps { return "\(place), ended" }
    let isSilent = now.timeIntervalSince(lastChange) > max(60, 20 * secondsPerStep)
    let time = lastChange.formatted(.dateTime.hour(.twoDigits(amPM: .omitted)).minute(.twoDigits).second(.twoDigits))
    return isSilent ? "\(place), no record since \(time)" : "\(place), going on"
  }
}

/// What a file or folder is like, so that a change shows: names, sizes and times, nothing of the content.
enum FileState {
  static func text(_ path: String) -> String {
    let inRun = [RunLayout.index, RunLayout.records, RunLayout.interventions, RunLayout.analysis]
    if RunFolder.isRun(at: path) {
      return inRun.map { of(path + "/" + $0) }.joined() + checkpoints(ofRun: path)
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    let runs = names.sorted().map { path + "/" + $0 }.filter { RunFolder.isRun(at: $0) }
    let inRuns = runs.flatMap { run in [RunLayout.records, RunLayout.analysis].map { of(run + "/" + $0) } }
    let own = [path, path + "/" + RunLayout.analysis, path + "/" + FollowOptions.stateName + "/" + RunLayout.analysis]
    return (own.map(of) + inRuns).joined()
  }

  static func checkpoints(ofRun path: String) -> String {
    let steps = (try? RunLayout.steps(in: path)) ?? []
    return steps.map { of(path + "/" + RunLayout.checkpoint($0)) }.joined()
  }

  private static func of(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "\(path) –\n" }
    return "\(path) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)\n"
  }
}
