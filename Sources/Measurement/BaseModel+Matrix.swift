import Adapters
import LinearAlgebra
import Weights

extension BaseModel {
  /// The base weight of a module in Float64, output × input.
  func matrix(_ match: ModuleMatcher.Match) throws(FileError) -> Matrix<Double> {
    let tensor = try BaseTensor(self, match)
    return try tensor.rectangle(rows: 0..<tensor.rows, columns: 0..<tensor.columns)
  }
}
