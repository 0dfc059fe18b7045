import Adapters
import RunStore

/// What to measure, and how. The one owner of the defaults.
package struct MeasurementOptions: Sendable {
  /// A folder of checkpoints, or one adapter folder.
  package var source: String
  /// The base model's folder.
  package var base: String
  /// The adapter as it was at step 0, where it is kept outside the series.
  package var initial: String?
  /// Overrides what the files say of the method.
  package var method: AdapterMethod?
  /// How many modules are measured at once.
  package var jobs: Int
  /// The analysis file to write; the pieces lie beside it until it is complete.
  package var output: String
  /// The run of our own that `source` was extracted from, whose files messages then name.
  package internal(set) var run: ExtractedRun?

  package init(
    source: String, base: String, initial: String? = nil, method: AdapterMethod? = nil, jobs: Int = 1, output: String
  ) {
    self.source = source
    self.base = base
    self.initial = initial
    self.method = method
    self.jobs = jobs
    self.output = output
  }
}
