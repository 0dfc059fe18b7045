import Diagnosis
import Foundation
import Reporting
import RunStore
import Spectra
import Weights

/// An analysis with what the run's trainer recorded.
struct AnalysedRun {
  let analysis: Analysis
  /// The run's own record as it is now; for anything but a run folder or packed run the log that was joined when it was analysed.
  let records: TrainingRecords?

  init(analysis: Analysis, records: TrainingRecords?) {
    (self.analysis, self.records) = (analysis, records ?? analysis.training)
  }

  /// - Parameter path: an analysis file, or a run folder or packed run that holds one.
  /// - Throws: `FileError` where there is no analysis at `path`, or it is damaged.
  init(at path: String) throws(FileError) {
    self.init(
      analysis: try GuardedReading.analysis(at: try Export.analysisFile(at: path)), records: try Self.records(at: path))
  }

  /// The run itself, or the run whose own analysis file this is; nil for any other file.
  static func runFolder(of path: String) throws(FileError) -> String? {
    try RunLocation.folder(of: path) ?? runFolder(ofAnalysis: path)
  }

  /// The run whose own analysis file this is.
  static func runFolder(ofAnalysis path: String) -> String? {
    let file = URL(fileURLWithPath: path)
    let folder = file.deletingLastPathComponent().path
    return file.lastPathComponent == RunLayout.analysis && RunFolder.isRun(at: folder) ? folder : nil
  }

  /// What that run has recorded; nil where there is none, or it has recorded nothing.
  static func records(at path: String) throws(FileError) -> TrainingRecords? {
    guard let folder = try runFolder(of: path) else { return nil }
    let file = folder + "/" + RunLayout.records
    return FileManager.default.fileExists(atPath: file) ? try TrainingRecords(path: file) : nil
  }

  /// The last checkpoint of the run at `path`, where the analysis does not know it.
  func newerCheckpoint(inRunAt path: String) throws(FileError) -> Int? {
    guard let folder = try Self.runFolder(of: path), let last = try RunLayout.steps(in: folder).last else { return nil }
    return last > analysis.lastKnownStep ? last : nil
  }

  private var evidence: RunEvidence { RunEvidence(analysis, records: records) }

  var verdict: Verdict { Verdict(on: evidence) }

  var diagnosis: DiagnosisText {
    let evidence = evidence
    let width = min(100, Console.knownWidth ?? 100)
    return DiagnosisText(Verdict(on: evidence), of: evidence, coverage: analysis.origin.coverage, width: width)
  }

  /// Writes the findings and the verdict beside the analysis of a run folder.
  func writeFindings(toRun folder: String) throws(FileError) {
    try PendingFile.write(diagnosis.json.text(pretty: true) + "\n", to: folder + "/" + RunLayout.findings)
  }
}

extension Analysis {
  /// The last checkpoint that it knows, and −1 for none. One that was left out has a finding in place of rows.
  var lastKnownStep: Int { (rows.map(\.step) + noticed.compactMap(\.step)).max() ?? -1 }
}
