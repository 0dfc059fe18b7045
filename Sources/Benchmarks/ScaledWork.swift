import Adapters
import Foundation
import Measurement
import Spectra

/// Work whose sizes can be varied one by one, on data of a `SyntheticModel`.
enum ScaledWork: String, CaseIterable {
  /// ΔW alone, and energies at both ends.
  case update
  /// The whole analysis over a base that is known.
  case geometry, full
  /// The bases of all weights.
  case basis

  /// Writes the data, and returns what is to be measured.
  func prepare(_ model: SyntheticModel, in folder: String) throws -> () throws -> Void {
    let (base, series) = (folder + "/base", folder + "/series")
    if self != .update { try model.writeBase(to: base) }
    if self != .basis { try model.writeSeries(to: series) }
    switch self {
    case .update:
      let work = SpectralSeries(checkpoints: try CheckpointSeries(path: series).checkpoints, frames: model.frames())
      return { _ = try work.measure() }
    case .geometry, .full:
      let depth = MeasurementDepth(rawValue: rawValue)!
      return try Self.analysis(folder, depth: depth)
    case .basis:
      return {
        let target = folder + "/basis"
        try? FileManager.default.removeItem(atPath: target)
        try Self.makeBasis(base: base, in: target, rank: model.rank)
      }
    }
  }

  /// An analysis of `series` over `base`, both in the folder, with a basis that is made beforehand.
  static func analysis(_ folder: String, depth: MeasurementDepth) throws -> () throws -> Void {
    var options = MeasurementOptions(
      source: folder + "/series", base: folder + "/base", depth: depth,
      basis: BasisFolder(path: folder + "/basis"), output: folder + "/analysis.h5")
    options.jobs = 1
    let prepared = options
    func run() throws { _ = try MeasurementPlan(prepared).run(prepared) }
    // The first run leaves the basis with all vectors that the others look at.
    if depth != .update { try run() }
    return run
  }

  static func makeBasis(base: String, in folder: String, rank: Int) throws {
    let plan = try BasisPlan(
      base: base, folder: BasisFolder(path: folder), keeping: KeptVectors(directions: rank), jobs: 1)
    _ = try plan.run(shouldStop: { false }, report: { _ in })
  }
}
