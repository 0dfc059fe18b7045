import Adapters
import LinearAlgebra
import Weights

extension BaseModel {
  /// `model_type` of its configuration; empty where it has none.
  var modelType: String {
    // Of a model with several parts it is the text model's that names the layers.
    configuration?["text_config"]?["model_type"]?.string ?? configuration?["model_type"]?.string ?? ""
  }

  private var configuration: JSONValue? { try? JSONValue(contentsOf: path + "/config.json") }

  /// Finds the weights that modules of adapters belong to.
  func matcher() throws(FileError) -> ModuleMatcher {
    var shapes: [String: [Int]] = [:]
    for name in tensorNames { shapes[name] = try shape(of: name) }
    return ModuleMatcher(
      shapes: shapes, tiesEmbeddings: configuration?["tie_word_embeddings"]?.bool ?? false, modelType: modelType)
  }

  /// The base weight of a module in Float64, output × input.
  func matrix(_ match: ModuleMatcher.Match) throws(FileError) -> Matrix<Double> {
    let tensor = try BaseTensor(self, match)
    return try tensor.rectangle(rows: 0..<tensor.rows, columns: 0..<tensor.columns)
  }
}

/// The base weight of a module, read when something first needs it.
final class LazyBaseWeight: PretrainedWeight {
  private let base: BaseModel
  private let match: ModuleMatcher.Match
  private var weight: Matrix<Double>?

  init(_ base: BaseModel, _ match: ModuleMatcher.Match) {
    self.base = base
    self.match = match
  }

  func matrix() throws -> Matrix<Double> {
    if let weight { return weight }
    let read = try base.matrix(match)
    weight = read
    return read
  }

  func weightBehindNorm() throws -> (weight: Matrix<Double>, gains: [Double], offset: Double) {
    guard let norm = match.norm else { preconditionFailure("no norm was matched") }
    var alone = match
    alone.norm = nil
    return (try base.matrix(alone), try base.readFinite(norm.tensor, as: Double.self), norm.offset)
  }

  /// Gives the memory back until the weight is asked for again.
  func forget() { weight = nil }
}
