import Diagnosis
import Foundation
import Reporting
import RunStore
import Weights

/// An analysis with what the run's trainer recorded.
struct AnalysedRun {
  let analysis: Analysis
  let records: TrainingRecords?

  init(analysis: Analysis, records: TrainingRecords?) {
    (self.analysis, self.records) = (analysis, records)
  }

  /// - Throws: `FileError` where there is no analysis at `path`, or it is damaged.
  init(at path: String) throws(FileError) {
    analysis = try GuardedReading.analysis(at: try Export.analysisFile(at: path))
    records = try Export.trainingRecords(at: path)
  }

  private var evidence: RunEvidence { RunEvidence(analysis, records: records) }

  var verdict: Verdict { Verdict(on: evidence) }

  var diagnosis: DiagnosisText {
    let evidence = evidence
    return DiagnosisText(Verdict(on: evidence), of: evidence, coverage: analysis.origin.coverage)
  }

  /// Writes the findings and the verdict beside the analysis of a run folder.
  func writeFindings(toRun folder: String) throws(FileError) {
    try PendingFile.write(diagnosis.json.text(pretty: true) + "\n", to: folder + "/" + RunLayout.findings)
  }
}
