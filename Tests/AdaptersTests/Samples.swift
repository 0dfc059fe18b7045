import Adapters
import LinearAlgebra
import TestSupport
import Weights

/// Writes adapter folders as PEFT does, with only the fields and tensors that a test is about.
struct AdapterWriter {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  var path: String { folder.path }

  /// A tensor by name and shape, filled with numbers that differ from each other.
  typealias Tensor = (name: String, shape: [Int], format: FloatFormat)

  /// Writes `adapter_config.json` with the given members beside `peft_type`, and the tensors.
  func write(fields: String = #""r": 2, "lora_alpha": 4"#, _ tensors: [Tensor] = []) throws {
    try folder.write(PEFTConfiguration.fileName, #"{"peft_type": "LORA", \#(fields)}"#)
    var writer = SafetensorsWriter()
    for tensor in tensors {
      let count = tensor.shape.reduce(1, *)
      writer.add(
        tensor.name, shape: tensor.shape, (0..<count).map { Double($0 % 100) + 1 }, as: tensor.format)
    }
    try writer.write(to: folder.path(AdapterFolder.weightsName))
  }

  /// The adapter that lies in the folder.
  func read(_ name: String = "") throws -> AdapterFolder {
    try AdapterFolder(path: name.isEmpty ? path : folder.path(name))
  }
}

/// A tensor of Float32.
func tensor(_ name: String, _ shape: Int..., format: FloatFormat = .float32) -> AdapterWriter.Tensor {
  (name, shape, format)
}

/// The configuration that this JSON text stands for.
func configuration(_ text: String) throws -> PEFTConfiguration {
  let folder = try TemporaryFolder()
  return try PEFTConfiguration(path: try folder.write(PEFTConfiguration.fileName, text))
}

/// Random factors of rows × rank and rank × columns.
func randomFactors(
  rows: Int, columns: Int, rank: Int, scaling: Double = 2, format: FloatFormat = .float32,
  _ random: inout SeededGenerator
) -> LoRAFactors {
  LoRAFactors(
    b: random.normalMatrix(rows: rows, columns: rank), a: random.normalMatrix(rows: rank, columns: columns),
    scaling: scaling, format: format)
}

/// Every entry rounded to the format.
func rounded(_ matrix: Matrix<Double>, to format: FloatFormat) -> Matrix<Double> {
  Matrix(rows: matrix.rows, columns: matrix.columns, elements: matrix.elements.map(format.rounded))
}

/// The largest difference of two entries at the same place.
func largestDifference(_ a: Matrix<Double>, _ b: Matrix<Double>) throws -> Double {
  try (a - b).largestMagnitude()
}
