import Adapters
import LinearAlgebra
import Measurement
import Spectra
import Weights

/// A layer's adapters at all checkpoints of a series, and the ends of its weights' spectra that their updates are held against.
struct SpectralSeries {
  /// How many directions of either end.
  static let directions = 32

  let checkpoints: [CheckpointSeries.Checkpoint]
  private let frames: [String: EndFrames]

  /// Decomposes the weights of the folder's base, which is meant to be one layer.
  init(data: String) throws {
    let base = try BaseModel(path: data + "/base")
    checkpoints = try CheckpointSeries(path: data + "/series").checkpoints
    var frames: [String: EndFrames] = [:]
    for name in base.tensorNames {
      let (rows, columns, values) = try base.readMatrix(name, as: Double.self)
      let basis = try SpectralBasis(
        of: Matrix(rows: rows, columns: columns, elements: values),
        keeping: KeptVectors(directions: Self.directions))
      frames[String(name.dropLast(".weight".count))] = EndFrames(of: basis, k: Self.directions)
    }
    self.frames = frames
  }

  /// - Parameter frames: what each module's updates are held against.
  init(checkpoints: [CheckpointSeries.Checkpoint], frames: [String: EndFrames]) {
    (self.checkpoints, self.frames) = (checkpoints, frames)
  }

  /// Every column of depth update, and the energies at both ends, at every checkpoint, read from its files.
  func measure() throws -> String {
    var count = 0
    for checkpoint in checkpoints {
      try forEachModule(of: checkpoint) { factors, ends in
        let product = factors.product
        let spectrum = try UpdateSpectrum(of: product)
        let scale = ModuleScale(
          baseNorm: ends.basis.frobeniusNorm, rank: product.terms, roundingNorm: try factors.roundingNorm())
        var metrics = MetricValues(of: spectrum, in: scale)
        let update = try DirectedUpdate(of: product, spectrum: spectrum)
        let shares = EnergyShares(of: update, at: ends)
        metrics.add(shares, null: .isotropic, basis: ends.basis, k: ends.k)
        count += metrics[.leftEnergyBottom] == nil ? 0 : 1
      }
    }
    return "\(count) updates at \(checkpoints.count) checkpoints"
  }

  func forEachModule(
    of checkpoint: CheckpointSeries.Checkpoint, _ body: (LoRAFactors, EndFrames) throws -> Void
  ) throws {
    let adapter = try AdapterFolder(path: checkpoint.path)
    for module in adapter.modules { try body(try adapter.factors(of: module), frames[module.path]!) }
  }
}
