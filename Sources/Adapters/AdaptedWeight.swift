import LinearAlgebra
import Weights

/// One linear layer's weight as an adapter makes it: the whole of a method, for one weight.
///
/// A method is the effective weight as a function of its trained parameters, with the gradient of that function. Models compute with
/// the effective weight alone, so training, sampling and analysis cannot disagree on what a method means. The base weight is only read.
package protocol AdaptedWeight<S>: Sendable {
  associatedtype S: TransformerScalar

  /// Output × input.
  var rows: Int { get }
  var columns: Int { get }

  /// The method's tensors, in the order in which they lie in the parameters; names are PEFT's, such as `lora_A`.
  var tensors: [AdapterTensor] { get }

  /// The parameters at step 0, where the effective weight is W₀.
  var start: [S] { get }

  /// Writes the effective weight, row-major, rows × columns.
  func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>)

  /// Adds ∂L/∂parameters to `gradient`, from G = ∂L/∂W_eff.
  func pullBack(_ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>)

  /// Set where W_eff = constant + s·B·A, so that the gradients of A and B can be had without G. Offsets are from the first of
  /// these parameters.
  var factorSpan: FactorSpan? { get }

  /// W_eff(later) − W_eff(earlier) in Float64, as factors where it has low rank.
  func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate

  /// What dropout on the adapter's input leaves alone: y = W_frozen·x + (W_eff − W_frozen)·dropout(x). W₀ for most methods; W₀ less
  /// what was moved into the factors for those that start with a part of it.
  var frozenWeight: Matrix<S> { get }

  /// True where the layer's bias changes with the parameters.
  var changesBias: Bool { get }
  /// Writes the effective bias, one number an output.
  func effectiveBias(_ parameters: UnsafePointer<S>, into bias: UnsafeMutablePointer<S>)
  /// Adds ∂L/∂parameters to `gradient`, from g = ∂L/∂bias.
  func pullBackBias(_ g: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>)

  /// Makes of the loss's gradient the one that the optimiser is given.
  ///
  /// - Throws: `LinearAlgebraError` where that needs a decomposition that fails.
  func precondition(
    _ gradient: UnsafeMutablePointer<S>, _ parameters: UnsafePointer<S>
  ) throws(LinearAlgebraError)
}

extension AdaptedWeight {
  package var changesBias: Bool { false }
  package func effectiveBias(_ parameters: UnsafePointer<S>, into bias: UnsafeMutablePointer<S>) {}
  package func pullBackBias(_ g: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>) {}
  package func precondition(
    _ gradient: UnsafeMutablePointer<S>, _ parameters: UnsafePointer<S>
  ) throws(LinearAlgebraError) {}
}

/// One tensor among the parameters of an adapted weight.
package struct AdapterTensor: Equatable, Sendable {
  /// PEFT's, such as `lora_A`.
  package var name: String
  package var shape: [Int]
  /// Its learning rate, as a multiple of the run's; 0 where it is frozen, so that it does not decay either.
  package var rateFactor = 1.0

  package init(_ name: String, _ shape: [Int], rateFactor: Double = 1) {
    self.name = name
    self.shape = shape
    self.rateFactor = rateFactor
  }

  package var count: Int { shape.reduce(1, *) }
}

/// Where two factors lie among parameters: B of rows × rank and A of rank × columns, in W = … + scaling·B·A.
package struct FactorSpan: Equatable, Sendable {
  package var a: Int
  package var b: Int
  package var rank: Int
  package var scaling: Double
  package var trainsA = true
  package var trainsB = true

  /// The same span in a larger buffer, in which these parameters begin at `offset`.
  package func moved(by offset: Int) -> FactorSpan {
    var copy = self
    copy.a += offset
    copy.b += offset
    return copy
  }
}

/// What every method shares whose effective weight is a frozen matrix and a scaled product of two trained factors.
package protocol FactoredWeight: AdaptedWeight {
  var pair: FactorPair<S> { get }
  /// The learning rates of A and B, as multiples of the run's; 0 for a factor that is frozen.
  var rateFactors: (a: Double, b: Double) { get }
}

extension FactoredWeight {
  package var rateFactors: (a: Double, b: Double) { (1, 1) }
}

/// Two factors and the frozen weight that they are added to.
package struct FactorPair<S: TransformerScalar>: Sendable {
  /// What the product is added to: W₀, or W₀ − s·B₀·A₀ where the start is a part of W₀.
  package let frozen: Matrix<S>
  /// rank × columns.
  package let a: Matrix<S>
  /// rows × rank.
  package let b: Matrix<S>
  package let scaling: Double

  package init(frozen: Matrix<S>, a: Matrix<S>, b: Matrix<S>, scaling: Double) {
    self.frozen = frozen
    self.a = a
    self.b = b
    self.scaling = scaling
  }

  /// Factors that begin as a part of the weight, which is taken out of what is frozen.
  ///
  /// The residual is that of the factors as they are stored, rounded to S, so that W_eff(0) differs from W₀ by the rounding of the
  /// residual alone.
  package init(subtracting start: LoRAFactors, from weight: Matrix<S>) {
    let (a, b) = (Matrix<S>(start.a), Matrix<S>(start.b))
    let taken = product(Matrix<Double>(b), Matrix<Double>(a), alpha: start.scaling)
    self.init(frozen: Matrix<S>(Matrix<Double>(weight) - taken), a: a, b: b, scaling: start.scaling)
  }
}

extension FactoredWeight {
  package var rows: Int { pair.frozen.rows }
  package var columns: Int { pair.frozen.columns }

  package var frozenWeight: Matrix<S> { pair.frozen }

  package var tensors: [AdapterTensor] {
    [
      AdapterTensor("lora_A", [pair.a.rows, columns], rateFactor: rateFactors.a),
      AdapterTensor("lora_B", [rows, pair.a.rows], rateFactor: rateFactors.b),
    ]
  }

  package var start: [S] { pair.a.elements + pair.b.elements }

  package var factorSpan: FactorSpan? {
    FactorSpan(
      a: 0, b: pair.a.elements.count, rank: pair.a.rows, scaling: pair.scaling, trainsA: rateFactors.a != 0,
      trainsB: rateFactors.b != 0)
  }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    weight.update(from: pair.frozen.elements, count: rows * columns)
    let (r, b) = (pair.a.rows, parameters + pair.a.elements.count)
    S.gemm(false, false, rows, columns, r, S(pair.scaling), b, r, parameters, columns, 1, weight, columns)
  }

  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    let (r, s, offset) = (pair.a.rows, S(pair.scaling), pair.a.elements.count)
    if rateFactors.a != 0 {
      S.gemm(true, false, r, columns, rows, s, parameters + offset, r, g, columns, 1, gradient, columns)
    }
    if rateFactors.b != 0 {
      S.gemm(false, true, rows, r, columns, s, g, columns, parameters, columns, 1, gradient + offset, r)
    }
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    try .between(factors(earlier), factors(later))
  }

  private func factors(_ parameters: [S]) -> LoRAFactors {
    let (r, offset) = (pair.a.rows, pair.a.elements.count)
    return LoRAFactors(
      b: Matrix<Double>(Matrix<S>(rows: rows, columns: r, elements: Array(parameters[offset...]))),
      a: Matrix<Double>(Matrix<S>(rows: r, columns: columns, elements: Array(parameters[..<offset]))),
      scaling: pair.scaling, format: .float32)
  }
}
