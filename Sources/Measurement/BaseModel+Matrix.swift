import Adapters
import LinearAlgebra
import Weights

extension BaseModel {
  /// The base weight of a module in Float64, output × input.
  func matrix(_ match: ModuleMatcher.Match) throws(FileError) -> Matrix<Double> {
    let (rows, columns, values) = try readMatrix(match.tensor, as: Double.self)
    let stored = Matrix(rows: rows, columns: columns, elements: values)
    return match.isTransposed ? stored.transposedCopy() : stored
  }
}
