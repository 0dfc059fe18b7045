import Foundation
import TestSupport
import Testing
import Weights

@Suite struct QuantizedBaseTests {
  private let folder: TemporaryFolder
  private static let float8 = ReaderReferences.path("float8")

  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: Float8Format.allCases)
  func everyPatternIsTorchsNumber(format: Float8Format) throws {
    let expected = try #require(try ReaderReferences.manifest()["expected"]?["float8"]?[format.rawValue]?.array)
    #expect(expected.count == 256 && format.values.count == 256)
    for (bits, (value, text)) in zip(format.values, expected).enumerated() {
      // Python writes an infinity as inf, as Swift reads it; torch's NaN is a null.
      let number = text.string.flatMap(Float.init)
      #expect(number.map { $0 == value && $0.sign == value.sign } ?? value.isNaN, "\(bits)")
    }
  }

  @Test(arguments: ["float8/model.safetensors", "float8/pytorch_model.bin"])
  func numbersTimesTheirScales(name: String) throws {
    let model = try BaseModel(path: ReaderReferences.path(name))
    for (name, tensor) in try ReaderReferences.expected(name) {
      #expect(try model.isReadable(name))
      let (rows, columns, values) = try model.readMatrix(name, as: Double.self)
      #expect([rows, columns] == tensor.shape)
      #expect(ReaderReferences.digest(values) == tensor.values, "\(name)")
      #expect(try model.read(name, as: Float.self) == values.map(Float.init))
      #expect(isClose(try model.frobeniusNorm(of: name), try #require(tensor.norm)))
      for (top, bottom, left, right) in [
        (0, rows, 1, columns), (rows - 3, rows - 1, columns - 2, columns), (1, 1, 0, 2),
      ] {
        let read = try model.readRectangle(name, rows: top..<bottom, columns: left..<right, as: Double.self)
        #expect(read == part(of: values, width: columns, rows: top..<bottom, columns: left..<right))
      }
      #expect(try model.readRows(name, rows: 2..<4, as: Double.self) == [Double](values[2 * columns..<4 * columns]))
    }
  }

  @Test func theScaleIsMissing() throws {
    let model = try BaseModel(path: Self.float8)
    #expect(try !model.isReadable("alone.weight"))
    let error = #expect(throws: FileError.self) { try model.read("alone.weight", as: Double.self) }
    #expect(
      error?.problem == #"expected a scale "alone.weight_scale_inv" or "alone.weight_scale" beside 8-bit numbers "#
        + "(F8_E4M3), found none")
    let file = try TensorFile(path: Self.float8 + "/model.safetensors")
    #expect(throws: FileError.self) { try file.read("alone.weight", as: Double.self) }
  }

  @Test func theScaleDoesNotFit() throws {
    let model = try BaseModel(path: Self.float8)
    let error = #expect(throws: FileError.self) { try model.readMatrix("misfit.weight", as: Double.self) }
    #expect(error?.object == #"tensor "misfit.weight_scale""#)
    #expect(
      error?.problem
        == "expected one scale, one for each of 6 rows, or one for each block of 128 × 128 (shape [1, 1]), "
        + "found shape [3]")
  }

  @Test func notANumber() throws {
    var writer = SafetensorsWriter()
    writer.add("w", shape: [2, 2], type: ElementType(rawValue: "F8_E4M3"), bytes: [0, 0x38, 0x7F, 0xB8])
    writer.add("w_scale", shape: [], [2] as [Float])
    try writer.write(to: folder.path("model.safetensors"))
    let model = try BaseModel(path: folder.path)
    #expect(try model.readRows("w", rows: 0..<1, as: Double.self) == [0, 2])
    let problem = "expected finite values, found 1 of 4 that is not (first at index 2)"
    #expect(#expect(throws: FileError.self) { try model.readFinite("w", as: Float.self) }?.problem == problem)
    #expect(#expect(throws: FileError.self) { try model.frobeniusNorm(of: "w") }?.problem == problem)
    #expect(try model.countNonFinite(of: "w").firstIndex == 2)
  }

  // MARK: - Packed weights

  private func packed(_ name: String, configuration: String) throws -> FileError {
    var writer = SafetensorsWriter()
    writer.add("model.q_proj.weight", shape: [4, 1], type: ElementType(rawValue: "U8"), bytes: [1, 2, 3, 4])
    writer.add(name, shape: [1], [1] as [Float])
    try folder.write("x/model-bnb-4bit/config.json", configuration)
    try writer.write(to: folder.path("x/model-bnb-4bit/model.safetensors"))
    return try #require(throws: FileError.self) { try BaseModel(path: folder.path("x/model-bnb-4bit")) }
  }

  @Test(arguments: [
    ("model.q_proj.weight.absmax", "weights packed into 4 bits by bitsandbytes"),
    ("model.q_proj.weight.quant_state.bitsandbytes__nf4", "weights packed into 4 bits by bitsandbytes"),
    ("model.q_proj.SCB", "weights in 8-bit integers of bitsandbytes"),
    ("model.q_proj.qweight", "weights packed by GPTQ or AWQ"),
    ("model.q_proj.weight_packed", "weights packed by compressed-tensors"),
  ])
  func packedWeightsAreNamed(name: String, kind: String) throws {
    let error = try packed(name, configuration: "{}")
    #expect(error.kind == .badContent)
    #expect(error.object == "tensor \"\(name)\"")
    #expect(error.problem == "expected weights as floating-point numbers, found \(kind)")
    #expect(error.remedy == #"Pass the unquantized model that it was made from, which by its name is "model""#)
  }

  @Test(arguments: [
    ("unsloth/llama-3-8b-bnb-4bit", "unsloth/llama-3-8b"),
    ("unsloth/Qwen3-4B-unsloth-bnb-4bit", "unsloth/Qwen3-4B"), ("meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B"),
    ("TheBloke/Llama-2-7B-GPTQ", "TheBloke/Llama-2-7B"), ("Qwen/Qwen2.5-7B-Instruct-AWQ", "Qwen/Qwen2.5-7B-Instruct"),
    ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "Qwen/Qwen2.5-7B-Instruct"),
  ])
  func theOriginalIsNamed(name: String, original: String) throws {
    let error = try packed(
      "model.q_proj.qweight",
      configuration: #"{"_name_or_path": "\#(name)", "quantization_config": {"quant_method": "awq"}}"#)
    #expect(error.problem.hasSuffix("found weights packed by AWQ"))
    #expect(error.remedy.hasSuffix("which by its name is \"\(original)\""))
  }

  @Test func fullWeightsThatAreQuantizedWhenLoaded() throws {
    var writer = SafetensorsWriter()
    writer.add("w", shape: [1, 2], [1, 2] as [Double], as: .bfloat16)
    try writer.write(to: folder.path("model.safetensors"))
    try folder.write("config.json", #"{"quantization_config": {"quant_method": "bitsandbytes"}}"#)
    #expect(try BaseModel(path: folder.path).read("w", as: Double.self) == [1, 2])
  }
}
