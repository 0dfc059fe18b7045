import Foundation
import Measurement
import Spectra

/// The spectral work that is timed beside Python: one layer of a model of 1.5B parameters, rank 32, 20 checkpoints.
enum SpectralWork: String, CaseIterable {
  case series
  case seriesGram = "series-gram"
  case seriesNaive = "series-naive"
  case basisNaive = "basis-naive"
  case basisTransposed = "basis-transposed"
  case basisWeightWatcher = "basis-weightwatcher"
  case basisWorkers = "basis-workers"

  /// What the peer does, and how precisely; nil where the peer is this program itself.
  var peer: (work: String, text: String, factor: Double)? {
    switch self {
    case .series: ("qr", "NumPy's QR route, Float64, the same energies at both ends", 1)
    case .seriesGram: ("gram", "NumPy's Gram route of the folder of scripts, Float64, angles at one end", 1)
    case .seriesNaive: ("naive", "dense SVD of every ΔW in PyTorch, Float32; one of the 20 checkpoints", 20)
    case .basisNaive: ("base-naive", "torch.linalg.svd of every W₀ as it is, Float32", 1)
    case .basisTransposed: ("base-transposed", "the same with wide weights transposed, Float32", 1)
    case .basisWeightWatcher: ("weightwatcher", "WeightWatcher's analyze(), values without vectors, Float32", 1)
    case .basisWorkers: nil
    }
  }

  /// True where the peer needs the folder of scripts.
  var needsScripts: Bool { self == .seriesGram }

  var isOfSeries: Bool { [.series, .seriesGram, .seriesNaive].contains(self) }

  var conditions: Figure.Conditions {
    Figure.Conditions(
      clock: .processor, threads: 1, size: "one layer of 1.5B",
      depth: isOfSeries ? "update and energies, 20 checkpoints, r = 32" : "basis", precision: "Float64")
  }

  /// The work on this side, in Float64.
  func prepare(data: String) throws -> () throws -> String {
    guard isOfSeries else { return { try Self.basis(data, jobs: 1) } }
    let series = try SpectralSeries(data: data)
    return { try series.measure() }
  }

  /// All singular values and the vectors of both ends of every weight, read from the base and written to a new folder.
  static func basis(_ data: String, jobs: Int) throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("basis-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let plan = try BasisPlan(
      base: data + "/base", folder: BasisFolder(path: folder),
      keeping: KeptVectors(directions: SpectralSeries.directions), jobs: jobs)
    let outcome = try plan.run(shouldStop: { false }, report: { _ in })
    return "\(outcome.computed) bases, all values and both ends of \(SpectralSeries.directions), read and written"
  }
}
