import Diagnosis
import Foundation
import Reporting
import RunStore
import Weights

/// An analysis with what the run's trainer recorded.
struct AnalysedRun {
  let analysis: Analysis
  let records: TrainingRecords?

  /// - Throws: `FileError` where there is no analysis at `path`, or it is damaged.
  init(at path: String) throws(FileError) {
    analysis = try GuardedReading.analysis(at: try Export.analysisFile(at: path))
    records = try Export.trainingRecords(at: path)
  }

  var evidence: RunEvidence { RunEvidence(analysis, records: records) }

  var verdict: Verdict { Verdict(on: evidence) }

  var diagnosis: DiagnosisText {
    let evidence = evidence
    return DiagnosisText(Verdict(on: evidence), of: evidence, coverage: analysis.origin.coverage)
  }
}
