import LinearAlgebra
import Weights

/// What one module's weight was at one moment of training, as an adapter stores it.
package protocol StoredWeight: Sendable {
  /// W_eff − W_eff(earlier), or W_eff − W₀ where there is no earlier one; nil where the two cannot be compared.
  func change(from earlier: (any StoredWeight)?, over base: any PretrainedWeight) throws -> ModuleUpdate?

  /// The parts of that change that have rows of their own.
  func parts(
    from earlier: (any StoredWeight)?, over base: any PretrainedWeight
  ) throws -> [(part: UpdatePart, update: ModuleUpdate)]

  /// ‖J‖_F of `StepLaw` over the numbers that are trained, at their values here: what a step of Adam at a learning rate of 1 moves the
  /// weight by. Nil where the method has no such law.
  func stepNorm(over base: any PretrainedWeight) throws -> Double?
}

extension StoredWeight {
  package func stepNorm(over base: any PretrainedWeight) throws -> Double? { nil }

  package func parts(
    from earlier: (any StoredWeight)?, over base: any PretrainedWeight
  ) throws -> [(part: UpdatePart, update: ModuleUpdate)] { [] }
}

/// The parts of DoRA's update.
package enum UpdatePart: Sendable {
  case magnitude, direction
}

/// The base weight that a module changes, read when something first needs it: most updates of low rank never do.
package protocol PretrainedWeight: AnyObject {
  /// W₀, output × input.
  func matrix() throws -> Matrix<Double>

  /// Where W₀ is a weight times the gains of the norm in front of it: the weight alone, and the gains without their offset.
  func weightBehindNorm() throws -> (weight: Matrix<Double>, gains: [Double], offset: Double)
}

// MARK: - Diagonal updates

extension Matrix<Double> {
  /// diag(d)·self.
  package func scalingRows(by d: [Double]) -> Matrix {
    precondition(d.count == rows, "a factor for each row")
    var result = self
    for i in 0..<rows { result.scaleRow(i, by: d[i]) }
    return result
  }

  /// self·diag(d).
  package func scalingColumns(by d: [Double]) -> Matrix {
    precondition(d.count == columns, "a factor for each column")
    var result = self
    result.scaleColumns(by: d)
    return result
  }
}

extension LoRAFactors {
  /// `termsNorm` of factors that were read as finite numbers; of any other ones it is not known.
  func finiteTermsNorm() -> Double { (try? termsNorm()) ?? .nan }
}
