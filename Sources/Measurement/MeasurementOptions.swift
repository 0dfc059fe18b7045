import Adapters
import RunStore
import Spectra

/// How deep a measurement goes.
package enum MeasurementDepth: String, CaseIterable, Sendable {
  /// `full` where min(rows, columns) of a weight is at most 1024, else `geometry`.
  case auto
  /// ΔW alone.
  case update
  /// And against the base: energies, alignment, rotation with bounds.
  case geometry
  /// And exact spectral shift, intruders and profiles.
  case full

  /// The depth for a weight with this min(rows, columns).
  package func resolved(order: Int) -> MeasurementDepth {
    self == .auto ? (order <= KeptVectors.orderKeptWhole ? .full : .geometry) : self
  }
}

/// What to measure, and how. The one owner of the defaults.
package struct MeasurementOptions: Sendable {
  /// A folder of checkpoints, or one adapter folder.
  package var source: String
  /// The base model's folder.
  package var base: String
  /// The adapter as it was at step 0, where it is kept outside the series.
  package var initial: String?
  /// Logs of the trainer, which are joined with the spectra on the step axis; where there is none, that of the source itself is looked for.
  package var logs: [String] = []
  /// Overrides what the files say of the method.
  package var method: AdapterMethod?
  /// How deep to go.
  package var depth: MeasurementDepth
  /// The folder that keeps the spectral bases of the base's weights; nil to compute them and keep nothing.
  package var basis: BasisFolder?
  /// k, the number of directions that metrics of leading and trailing subspaces look at; nil for the rank of each module.
  package var directions: Int?
  /// Only checkpoints at multiples of so many steps, and the last one; nil for all.
  package var every: Int?
  /// How many modules are measured at once.
  package var jobs: Int
  /// The analysis file to write; the pieces lie beside it until it is complete.
  package var output: String
  /// The run of our own that `source` was extracted from, whose files messages then name.
  package internal(set) var run: ExtractedRun?

  package init(
    source: String, base: String, initial: String? = nil, method: AdapterMethod? = nil,
    depth: MeasurementDepth = .auto, basis: BasisFolder? = nil, directions: Int? = nil, jobs: Int = 1, output: String
  ) {
    self.source = source
    self.base = base
    self.initial = initial
    self.method = method
    self.depth = depth
    self.basis = basis
    self.directions = directions
    self.jobs = jobs
    self.output = output
  }
}
