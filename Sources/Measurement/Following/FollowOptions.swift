import Adapters

/// How to follow a folder in which a trainer writes. The one owner of the defaults.
package struct FollowOptions: Sendable {
  /// The folder that is followed.
  package var source: String
  /// What is measured, and how; its `source` and `output` are those of the state.
  package var measurement: MeasurementOptions
  /// The folder that keeps what was measured: the journal, the analysis, and the files of the last checkpoint.
  package var state: String
  /// For how many seconds a checkpoint must have been left alone where nothing marks it as complete.
  package var settling = 30.0

  /// The name of the default state folder, in the one that is followed; trainers pass over it.
  package static let stateName = ".spectroscope"

  package init(
    source: String, base: String, state: String? = nil, initial: String? = nil, method: AdapterMethod? = nil,
    basis: BasisFolder? = nil, jobs: Int = 1
  ) {
    self.source = source
    let state = state ?? source + "/" + Self.stateName
    self.state = state
    measurement = MeasurementOptions(
      source: state + "/kept", base: base, initial: initial, method: method, depth: .update, basis: basis, jobs: jobs,
      output: state + "/analysis.h5")
  }
}
