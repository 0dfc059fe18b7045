import LinearAlgebra
import Weights

/// Full fine-tuning of a weight: the weight itself is trained, from a copy of the base's.
package struct FullFineTuning<S: TransformerScalar>: AdaptedWeight {
  let weight: Matrix<S>

  package init(weight: Matrix<S>) { self.weight = weight }

  package var rows: Int { weight.rows }
  package var columns: Int { weight.columns }
  package var tensors: [(name: String, shape: [Int])] { [("weight", [rows, columns])] }
  package var start: [S] { weight.elements }
  package var factorSpan: FactorSpan? { nil }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    weight.update(from: parameters, count: rows * columns)
  }

  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    S.kernels.accumulate(g, rows * columns, gradient)
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    let (before, now) = (matrix(earlier), matrix(later))
    let roundings = try [before, now].map { matrix throws(LinearAlgebraError) in
      try FloatFormat.float32.rmsRounding * matrix.frobeniusNorm()
    }
    return try .whole(from: before, to: now, roundings: roundings)
  }

  private func matrix(_ parameters: [S]) -> Matrix<Double> {
    Matrix(Matrix<S>(rows: rows, columns: columns, elements: parameters))
  }
}
