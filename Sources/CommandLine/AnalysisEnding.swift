import ArgumentParser
import Measurement
import Reporting
import RunStore
import Weights

/// What is said and done about an analysis once its file is written, whoever measured it.
struct AnalysisEnding {
  let outcome: MeasurementPlan.Outcome
  /// The analysis file.
  let path: String
  let output: OutputOptions

  /// Writes the findings of a run beside its own analysis, and prints the summary.
  ///
  /// - Throws: code 65 where something could not be analysed; the rest has been written by then.
  func report() throws {
    if let run = AnalysedRun.runFolder(ofAnalysis: path) {
      try AnalysedRun(analysis: outcome.analysis, records: AnalysedRun.records(at: run)).writeFindings(toRun: run)
    }
    show(AnalysisSummary(outcome.analysis))
    try reportLeftOut()
  }

  private func show(_ summary: AnalysisSummary) {
    if output.json { return Console.print(summary.json(output: path).text(pretty: true)) }
    if output.quiet { return }
    Console.print(summary.table)
    if !summary.findings.isEmpty { Console.print("\n" + summary.findings) }
    let kernels = outcome.analysis.origin.mixedKernels
    if !kernels.isEmpty {
      Console.error(
        "Note: computed by different kernels (\(kernels.joined(separator: "; "))), whose last digits differ")
    }
    Console.error("wrote \(path)")
  }

  private func reportLeftOut() throws {
    let (damaged, unmatched) = (outcome.damaged, outcome.unmatched)
    let parts = [
      damaged > 0 ? "\(damaged) damaged checkpoint\(damaged == 1 ? "" : "s") or tensor\(damaged == 1 ? "" : "s")" : nil,
      unmatched > 0 ? "\(unmatched) module\(unmatched == 1 ? "" : "s") without a weight in the base" : nil,
    ].compactMap { $0 }
    guard !parts.isEmpty else { return }
    Console.error("Error: left out: \(parts.joined(separator: ", ")) (see the findings); the rest is in \(path)")
    throw ExitCode(FileError.Kind.badContent.exitCode)
  }
}
