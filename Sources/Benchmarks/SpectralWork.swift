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
<<<<<<< HEAD
    return "\(outcome.computed) bases, all values and both ends of 32, Float64, read and written"
  }

  /// Every column of depth update, and the energies at both ends of W₀'s spectrum, at 20 checkpoints.
  private static func series(_ data: String) throws -> () throws -> String {
    let base = try BaseModel(path: data + "/base")
    let checkpoints = try CheckpointSeries(path: data + "/series").checkpoints
    var frames: [String: EndFrames] = [:]
    for name in base.tensorNames {
      let (rows, columns, values) = try base.readMatrix(name, as: Double.self)
      let basis = try SpectralBasis(
        of: Matrix(rows: rows, columns: columns, elements: values), keeping: KeptVectors(directions: 32))
      frames[String(name.dropLast(".weight".count))] = EndFrames(of: basis, k: 32)
    }
    let known = frames
    return {
      var count = 0
      for checkpoint in checkpoints {
        let adapter = try AdapterFolder(path: checkpoint.path)
        for module in adapter.modules {
          let factors = try adapter.factors(of: module)
          let ends = known[module.path]!
          let product = factors.product
          let spectrum = try UpdateSpectrum(of: product)
          let scale = ModuleScale(
            baseNorm: ends.basis.frobeniusNorm, rank: module.rank, roundingNorm: try factors.roundingNorm())
          var metrics = MetricValues(of: spectrum, in: scale)
          let update = try DirectedUpdate(of: product, spectrum: spectrum)
          let shares = EnergyShares(of: update, at: ends)
          metrics.add(shares, null: .isotropic, basis: ends.basis, k: 32)
          count += metrics[.leftEnergyBottom] == nil ? 0 : 1
        }
      }
      return "\(count) updates at \(checkpoints.count) checkpoints, Float64"
    }
=======
    return "\(outcome.computed) bases, all values and both ends of \(SpectralSeries.directions), read and written"
>>>>>>> bench
  }
}
