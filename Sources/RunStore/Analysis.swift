import Diagnosis
import Spectra

/// Where the numbers of an analysis come from; the root attributes of an analysis file. Empty text means unknown.
package struct AnalysisOrigin: Equatable, Sendable {
  /// The run or folder of checkpoints that was analysed.
  package var source: String
  /// The base model it was analysed against.
  package var base: String
  /// The program and version that wrote the analysis.
  package var createdBy: String
  /// How much was computed: `update`, `geometry`, `full` or `auto`.
  package var depth: String
  /// Which part of the source the numbers cover.
  package var coverage: String
  /// The kinds of kernels that computed it, where there are several: their last digits differ.
  package var mixedKernels: [String] = []

  package init(
    source: String = "", base: String = "", createdBy: String = "", depth: String = "", coverage: String = ""
  ) {
    self.source = source
    self.base = base
    self.createdBy = createdBy
    self.depth = depth
    self.coverage = coverage
  }
}

/// The result of analysing a run: what an analysis file holds.
package struct Analysis: Equatable, Sendable {
  package var origin: AnalysisOrigin
  /// At most one row for each step, module and delta.
  package var rows: [SpectrumRow]
  /// By onset, as the verdict on the run has them.
  package var findings: [Finding]
  /// Those of them that were noticed while the files were read, which nothing in this file can tell again.
  package var noticed: [Finding]
  /// How the run was set up.
  package var setup: RunSetup
  /// ‖W₀‖_F by module.
  package var baseNorms: [String: Double]
  /// The singular values of W₀ by module, where they were computed.
  package var baseValues: [String: [Double]]
  /// What the trainer's log says of the steps; nil where none was joined to the analysis.
  package var training: TrainingRecords?

  package init(
    origin: AnalysisOrigin = AnalysisOrigin(), rows: [SpectrumRow] = [], findings: [Finding] = [],
    noticed: [Finding] = [], setup: RunSetup = RunSetup(), baseNorms: [String: Double] = [:],
    baseValues: [String: [Double]] = [:], training: TrainingRecords? = nil
  ) {
    self.origin = origin
    self.rows = rows
    self.findings = findings
    self.noticed = noticed
    self.setup = setup
    self.baseNorms = baseNorms
    self.baseValues = baseValues
    self.training = training
  }
}
