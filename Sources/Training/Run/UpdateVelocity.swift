import Adapters
import LinearAlgebra
import OrderedCollections

/// How far one update moved the weights, δW = W_eff(after) − W_eff(before).
package struct UpdateVelocity: Equatable, Sendable {
  /// One module's share.
  package struct Module: Equatable, Sendable {
    package var path: String
    /// ‖δW‖_F, exact to Float64: from the factors where δW has low rank.
    package var norm: Double
    /// (Σ (u_jᵀ δW v_j)²)^½ over frames of the last checkpoint's weight: how far singular values move, to first order. Nil
    /// where the weight had no decomposition, because it was not finite.
    package var shift: Double?
    /// ‖W₀‖_F.
    package var baseNorm: Double
  }

  package var modules: [Module]

  /// √Σ‖δW‖² over the modules.
  package var norm: Double { euclideanNorm(modules.map(\.norm)) }
  /// √Σ(‖δW‖_F/‖W₀‖_F)² over the modules: how far the model moved, whatever the sizes of its weights.
  package var stride: Double { euclideanNorm(modules.map { $0.norm / $0.baseNorm }) }
  /// The same of the shift; nil where any is missing.
  package var shiftStride: Double? {
    let shifts = modules.compactMap { module in module.shift.map { $0 / module.baseNorm } }
    return shifts.count == modules.count ? euclideanNorm(shifts) : nil
  }
  /// ‖δW‖_F/‖W₀‖_F of all modules together.
  package var relativeNorm: Double { norm / euclideanNorm(modules.map(\.baseNorm)) }
  /// The shift over ‖W₀‖_F, of all modules together; nil where any is missing.
  package var relativeShift: Double? {
    let shifts = modules.compactMap(\.shift)
    guard shifts.count == modules.count else { return nil }
    return euclideanNorm(shifts) / euclideanNorm(modules.map(\.baseNorm))
  }
}

/// Measures the velocity of each update.
struct VelocityMeter<S: TransformerScalar> {
  /// The first and last k singular vectors of a weight, as columns.
  private struct Frame {
    var u: Matrix<Double>
    var v: Matrix<Double>
  }

  private var before: [S]
  private var frames: [Frame?] = []
  private let baseNorms: [Double]

  init(_ model: AdaptedModel<S>) throws(LinearAlgebraError) {
    before = model.adapters.parameters
    baseNorms = try model.adapters.modules.map { module throws(LinearAlgebraError) in
      try model.effectiveWeight(of: module).frobeniusNorm()
    }
    refreshFrames(model)
  }

  /// Measures from the weights as they are now.
  mutating func restart(_ model: AdaptedModel<S>) {
    before = model.adapters.parameters
    refreshFrames(model)
  }

  /// Measures from the parameters as they are now, which are those of the last measurement's beginning.
  mutating func forget(_ adapters: AdapterSet<S>) { before = adapters.parameters }

  /// Takes the frames anew from the weights as they are now.
  mutating func refreshFrames(_ model: AdaptedModel<S>) {
    let adapters = model.adapters
    let trained = adapters.method.trained!
    frames = adapters.modules.map { module in
      // A norm has no spectrum.
      if module.number == nil { return nil }
      let rank = trained.isRanked ? trained.startRank(adapters.options.at(module.path)) : nil
      return Self.frame(model.effectiveWeight(of: module), rank: rank)
    }
  }

  private static func frame(_ weight: Matrix<Double>, rank: Int?) -> Frame? {
    guard let svd = try? singularValueDecomposition(of: weight) else { return nil }
    let q = weight.smallerDimension
    // The k of the tables: min(rank, ⌊q/2⌋), with 32 for a method without rank.
    let k = max(1, min(rank ?? 32, q / 2))
    let (u, v) = (svd.u!.view, svd.vTransposed!.transposed)
    func ends(_ vectors: MatrixView<Double>) -> Matrix<Double> {
      .sideBySide([
        Matrix(vectors[0..<vectors.rows, 0..<k]), Matrix(vectors[0..<vectors.rows, max(k, q - k)..<q]),
      ])
    }
    return Frame(u: ends(u), v: ends(v))
  }

  /// The velocity since the last call, or since the start.
  mutating func measure(_ adapters: AdapterSet<S>) throws(LinearAlgebraError) -> UpdateVelocity {
    var modules: [UpdateVelocity.Module] = []
    for (index, module) in adapters.modules.enumerated() {
      let update = try module.weight.update(
        from: Array(before[module.range]), to: Array(adapters.parameters[module.range]))
      modules.append(
        UpdateVelocity.Module(
          path: module.path, norm: try update.content.frobeniusNorm(),
          shift: frames[index].map { Self.shift(update.content, $0) }, baseNorm: baseNorms[index]))
    }
    before = adapters.parameters
    return UpdateVelocity(modules: modules)
  }

  /// (Σ (u_jᵀ δW v_j)²)^½.
  private static func shift(_ update: ModuleUpdate.Content, _ frame: Frame) -> Double {
    let (left, right): (Matrix<Double>, Matrix<Double>)
    switch update {
    case .factored(let factors):
      left = product(frame.u.transposed, factors.left.view)
      right = product(factors.right, frame.v).transposedCopy()
    case .dense(let difference, _):
      left = frame.u.transposedCopy()
      right = product(difference, frame.v).transposedCopy()
    }
    let diagonal = (0..<left.rows).map { j in
      (0..<left.columns).reduce(0.0) { $0 + left[j, $1] * right[j, $1] }
    }
    return euclideanNorm(diagonal)
  }
}

extension ModuleUpdate.Content {
  fileprivate func frobeniusNorm() throws(LinearAlgebraError) -> Double {
    switch self {
    case .factored(let product): product.frobeniusNorm()
    case .dense(let difference, _): try difference.frobeniusNorm()
    }
  }
}

extension TrainingRecord {
  /// The record with the velocity of the step's update.
  func describing(_ velocity: UpdateVelocity?) -> TrainingRecord {
    guard let velocity else { return self }
    var record = self
    record["step_norm"] = velocity.norm
    record["update_velocity"] = velocity.relativeNorm
    record["shift_velocity"] = velocity.relativeShift
    record["update_stride"] = velocity.stride
    record["shift_stride"] = velocity.shiftStride
    for module in velocity.modules {
      record.moduleColumns["update_velocity_by_module", default: [:]][module.path] = module.norm / module.baseNorm
      if let shift = module.shift {
        record.moduleColumns["shift_velocity_by_module", default: [:]][module.path] = shift / module.baseNorm
      }
    }
    return record
  }
}
