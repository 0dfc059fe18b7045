import Diagnosis
import Foundation
import Measurement
import Reporting
import RunStore
import Weights

/// Makes the page of some files, and makes it again where they have changed.
final class PageSource {
  private let files: [String]
  private let depth: MeasurementDepth
  private var shown: String?
  private var lastProblem: String?
  /// Analyses of runs by path, with what they are of.
  private var analyses: [String: (state: String, analysis: Analysis)] = [:]

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
  var waiting: String { html(of: Report([], command: command, version: programVersion)) }

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
      if Interruption.isWished { return nil }
      let problem = "\(error)"
      page.say("Not up to date: \(problem)")
      defer { lastProblem = problem }
      return problem == lastProblem ? nil : problem
    }
  }

  private func html() throws -> String {
    html(of: try ReportSource.report(of: files.map(source), command: command, read: read))
  }

  private func html(of report: Report) -> String { ReportPage(report, isLive: true).html }

  private var command: [String] { ["report"] + files }

  private func source(_ path: String) throws -> ReportSource {
    // A run that is going on need not have an analysis.
    RunFolder.isRun(at: path) ? ReportSource(run: path) : try ReportSource(path)
  }

  private func read(_ path: String, _ name: String) throws -> ComparedRun {
    guard RunFolder.isRun(at: path) else { return try Compare.read(path, name: name) }
    return try Compare.read(
      path, name: name, analysis: try analysis(ofRun: path), records: try AnalysedRun.records(at: path))
  }

  /// The run's own analysis where it knows every checkpoint, else one that is made here.
  private func analysis(ofRun path: String) throws -> Analysis {
    let state = FileState.analysis(ofRun: path)
    if let known = analyses[path], known.state == state { return known.analysis }
    let subject = GateSubject(
      path: path, base: nil, initial: nil, method: nil, depth: depth, note: { _ in }, progress: nil)
    let analysis = try subject.analysis()
    analyses[path] = (state, analysis)
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
