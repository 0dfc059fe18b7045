import OrderedCollections
import Weights

/// The tensors of an adapter, in one file or in several.
package struct AdapterTensors: Sendable {
  /// The file, or the folder of the files.
  package let path: String
  package let tensors: OrderedDictionary<String, TensorEntry>
  /// The files, each once.
  package let files: [PositionedFile]
  private let source: Source

  private enum Source: Sendable {
    case file(SafetensorsFile)
    case model(BaseModel)
  }

  /// One safetensors file.
  package init(file path: String) throws(FileError) {
    let file = try SafetensorsFile(path: path)
    self.path = path
    tensors = file.tensors
    files = [file.file]
    source = .file(file)
  }

  /// A folder of whole weights, sharded or not.
  package init(model path: String) throws(FileError) {
    let model = try BaseModel(path: path)
    var tensors = OrderedDictionary<String, TensorEntry>()
    var files: [String: PositionedFile] = [:]
    for name in model.tensorNames {
      let file = try model.file(holding: name)
      tensors[name] = try file.entry(name)
      files[file.path] = file.file
    }
    self.path = path
    self.tensors = tensors
    self.files = files.sorted { $0.key < $1.key }.map(\.value)
    source = .model(model)
  }

  private func file(holding name: String) throws(FileError) -> SafetensorsFile {
    switch source {
    case .file(let file): file
    case .model(let model): try model.file(holding: name)
    }
  }

  /// What the header says of a tensor.
  package func entry(_ name: String) throws(FileError) -> TensorEntry { try file(holding: name).entry(name) }

  /// All elements in row-major order.
  package func read<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    try file(holding: name).read(name, as: type)
  }

  /// `read`, which also throws where a value is NaN or infinite.
  package func readFinite<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    try file(holding: name).readFinite(name, as: type)
  }

  /// Counts NaN and infinities.
  package func countNonFinite(of name: String) throws(FileError) -> NonFiniteCount {
    try file(holding: name).countNonFinite(of: name)
  }
}
