import Foundation
import TestSupport
import Testing
import Weights

@Suite struct BaseModelTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Writes a file whose tensors are 1 × 2 matrices filled with the given numbers.
  private func write(_ name: String, _ tensors: [(String, Double)]) throws {
    var writer = SafetensorsWriter()
    for (tensor, value) in tensors { writer.add(tensor, shape: [1, 2], [value, value], as: .bfloat16) }
    try writer.write(to: folder.path(name))
  }

  private func writeIndex(_ map: [(String, String)], metadata: String = #"{"total_size": 16}"#) throws {
    let entries = map.map { "\"\($0)\": \"\($1)\"" }.joined(separator: ", ")
    try folder.write("model.safetensors.index.json", #"{"metadata": \#(metadata), "weight_map": {\#(entries)}}"#)
  }

  private func problem(_ path: String? = nil) throws -> FileError {
    try #require(throws: FileError.self) { try BaseModel(path: path ?? folder.path) }
  }

  @Test func singleFile() throws {
    try write("model.safetensors", [("b", 1), ("a", 2)])
    try write("other.safetensors", [("c", 3)])
    for path in [folder.path, folder.path("model.safetensors")] {
      let model = try BaseModel(path: path)
      #expect(model.path == path)
      #expect(model.tensorNames == ["b", "a"])
      #expect(model.contains("a") && !model.contains("c"))
      #expect(try model.shape(of: "a") == [1, 2])
      #expect(try model.entry("a").elementType == ElementType(.bfloat16))
      #expect(try model.read("a", as: Float.self) == [2, 2])
      #expect(try model.readMatrix("a", as: Double.self) == (1, 2, [2, 2]))
      #expect(try model.frobeniusNorm(of: "a") == 8.0.squareRoot())
      #expect(try model.totalBytes() == 8)
    }
  }

  @Test(arguments: [#"{"total_size": 16}"#, #"{"total_size": 16.0, "total_parameters": "many"}"#, "{}", "null"])
  func sharded(metadata: String) throws {
    try write("model-00001-of-00002.safetensors", [("a", 1), ("b", 2)])
    try write("model-00002-of-00002.safetensors", [("c", 3), ("unlisted", 4)])
    try writeIndex(
      [
        ("c", "model-00002-of-00002.safetensors"), ("a", "model-00001-of-00002.safetensors"),
        ("b", "model-00001-of-00002.safetensors"),
      ], metadata: metadata)
    let model = try BaseModel(path: folder.path)
    #expect(model.tensorNames == ["c", "a", "b"])
    #expect(try model.read("c", as: Double.self) == [3, 3])
    #expect(try model.read("a", as: Double.self) == [1, 1])
    #expect(try model.totalBytes() == 12)
  }

  @Test func shardsOpenLazilyAndStayOpen() throws {
    try write("one.safetensors", [("a", 1)])
    try folder.write("two.safetensors", "broken")
    try writeIndex([("a", "one.safetensors"), ("b", "two.safetensors")])
    let model = try BaseModel(path: folder.path)
    #expect(try model.read("a", as: Double.self) == [1, 1])
    try FileManager.default.removeItem(atPath: folder.path("one.safetensors"))
    #expect(try model.read("a", as: Double.self) == [1, 1])
    #expect(#expect(throws: FileError.self) { try model.entry("b") }?.path == folder.path("two.safetensors"))
  }

  @Test func missingShard() throws {
    try write("one.safetensors", [("a", 1)])
    try writeIndex([("a", "one.safetensors"), ("b", "two.safetensors"), ("c", "two.safetensors")])
    let error = try problem()
    #expect(error.kind == .cannotOpen)
    #expect(
      error.description == "\(folder.path("two.safetensors")): no such file, though model.safetensors.index.json "
        + "promises 2 tensors in it. Copy or download the missing shard")
  }

  @Test func shardWithoutThePromisedTensor() throws {
    try write("one.safetensors", [("a", 1)])
    try writeIndex([("a", "one.safetensors"), ("b", "one.safetensors")])
    let model = try BaseModel(path: folder.path)
    let error = #expect(throws: FileError.self) { try model.read("a", as: Double.self) }
    #expect(
      error?.description
        == "\(folder.path("one.safetensors")): tensor \"b\": expected this tensor, which model.safetensors.index.json "
        + "promises, found none of that name. Copy or download the shard and the index again, from the same version of "
        + "the model")
  }

  @Test(arguments: ["../x.safetensors", "/etc/passwd", "a/b", "..", #"a\\b"#, "", #"a\u0000b"#, #"a/\u0301b"#])
  func shardNamesStayInTheFolder(name: String) throws {
    try writeIndex([("a", name)])
    let error = try problem()
    #expect(error.kind == .badContent)
    #expect(error.object == #"weight_map of tensor "a""#)
    #expect(error.problem.hasPrefix("expected the name of a file in the same folder, found "))
  }

  @Test(arguments: [
    ("{}", "weight_map: expected an object from tensor names to shards, found none"),
    (#"{"weight_map": {}}"#, "weight_map: expected an object from tensor names to shards, found none"),
    (#"{"weight_map": [1]}"#, "weight_map: expected an object from tensor names to shards, found none"),
    (
      #"{"weight_map": {"a": 3}}"#,
      #"weight_map of tensor "a": expected the name of a file in the same folder, found "3""#
    ),
    (#"{"weight_map": {"a": "x", "a": "y"}}"#, #"expected every key once, found "a" twice"#),
    ("{", "expected a key in quotes, found the end of the text"),
  ])
  func brokenIndex(text: String, problem expected: String) throws {
    try folder.write("model.safetensors.index.json", text)
    let error = try problem()
    #expect(error.kind == .badContent)
    #expect(error.path == folder.path("model.safetensors.index.json"))
    #expect(error.description.contains(expected))
  }

  @Test func severalFilesWithoutAnIndex() throws {
    try write("part2.safetensors", [("b", 2)])
    try write("part1.safetensors", [("a", 1)])
    try write("adapter_model.safetensors", [("a", 7)])
    try folder.write("._part1.safetensors", "left by another system")
    let model = try BaseModel(path: folder.path)
    #expect(model.tensorNames == ["a", "b"])
    #expect(try model.read("a", as: Double.self) == [1, 1])
  }

  @Test func duplicateTensors() throws {
    try write("part1.safetensors", [("a", 1)])
    try write("part2.safetensors", [("a", 1)])
    let error = try problem()
    #expect(
      error.description
        == "\(folder.path("part2.safetensors")): tensor \"a\": expected every tensor in one file, found "
        + "it in \(folder.path("part1.safetensors")) as well. Keep the files of one model in the folder, or give the "
        + "path of one file")
  }

  @Test func foldersWithoutReadableWeights() throws {
    let expected = "expected model.safetensors, model.safetensors.index.json or other safetensors files"
    #expect(try problem().description == "\(folder.path): \(expected), found none. Check the path")
    try write("adapter_model.safetensors", [("a", 1)])
    #expect(try problem().problem == "\(expected), found an adapter")
    try folder.write("pytorch_model-00001-of-00002.bin", "PK")
    let error = try problem()
    #expect(error.kind == .badContent)
    #expect(
      error.description == "\(folder.path): \(expected), found only pytorch_model-00001-of-00002.bin without "
        + "pytorch_model.bin.index.json. Copy or download the index too")
  }

  @Test(arguments: ["base", "base-sharded", "base/pytorch_model.bin"])
  func writtenByTorch(name: String) throws {
    let model = try BaseModel(path: ReaderReferences.path(name))
    let expected = try ReaderReferences.expected(name == "base-sharded" ? name : "base")
    #expect(Set(model.tensorNames) == Set(expected.map(\.name)))
    for (name, tensor) in expected {
      #expect(try model.shape(of: name) == tensor.shape)
      #expect(ReaderReferences.digest(try model.readFinite(name, as: Double.self)) == tensor.values)
    }
    #expect(
      try BaseIdentity.sha256(of: model) == BaseIdentity.sha256(of: BaseModel(path: ReaderReferences.path("base"))))
  }

  @Test func safetensorsComeBeforeTorch() throws {
    try folder.write("pytorch_model.bin", "broken")
    try write("model.safetensors", [("a", 1)])
    #expect(try BaseModel(path: folder.path).tensorNames == ["a"])
    try FileManager.default.removeItem(atPath: folder.path("model.safetensors"))
    try write("other.safetensors", [("a", 1)])
    #expect(try problem().path == folder.path("pytorch_model.bin"))
  }

  @Test func partsOfAMatrix() throws {
    var writer = SafetensorsWriter()
    writer.add("w", shape: [3, 4], (0..<12).map(Double.init), as: .float16)
    try writer.write(to: folder.path("model.safetensors"))
    let model = try BaseModel(path: folder.path)
    #expect(try model.readRectangle("w", rows: 1..<3, columns: 2..<4, as: Double.self) == [6, 7, 10, 11])
    #expect(try model.readRectangle("w", rows: 0..<3, columns: 3..<3, as: Float.self) == [])
    #expect(try model.readRows("w", rows: 2..<3, as: Float.self) == [8, 9, 10, 11])
    #expect(try model.isReadable("w"))
  }

  @Test func nothingThere() throws {
    let error = try problem("/no/such/model")
    #expect(error.kind == .cannotOpen)
    #expect(error.problem == "no such file or folder")
  }

  @Test func wrongRequests() throws {
    var writer = SafetensorsWriter()
    writer.add("vector", shape: [2], [1, 2] as [Double])
    writer.add("bad", shape: [1, 2], [1, .nan] as [Double])
    try writer.write(to: folder.path("model.safetensors"))
    let model = try BaseModel(path: folder.path)
    #expect(#expect(throws: FileError.self) { try model.entry("x") }?.object == #"tensor "x""#)
    #expect(
      #expect(throws: FileError.self) { try model.readMatrix("vector", as: Double.self) }?.problem
        == "expected a matrix, found shape [2]")
    let problem = "expected finite values, found 1 of 2 that is not (first at index 1)"
    #expect(#expect(throws: FileError.self) { try model.readMatrix("bad", as: Float.self) }?.problem == problem)
    #expect(#expect(throws: FileError.self) { try model.frobeniusNorm(of: "bad") }?.problem == problem)
  }

  @Test func manyThreadsAtOnce() async throws {
    let shards = (0..<8).map { "shard\($0).safetensors" }
    for (index, shard) in shards.enumerated() { try write(shard, [("t\(index)", Double(index))]) }
    try writeIndex(shards.enumerated().map { ("t\($0.offset)", $0.element) })
    let model = try BaseModel(path: folder.path)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for task in 0..<200 {
        group.addTask {
          let value = Double(task % 8)
          return try model.read("t\(task % 8)", as: Double.self) == [value, value]
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
  }
}
