import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

@Suite struct TensorFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func file(_ build: (inout SafetensorsWriter) -> Void) throws -> TensorFile {
    var writer = SafetensorsWriter()
    build(&writer)
    let path = folder.path("t.safetensors")
    try writer.write(to: path)
    return try TensorFile(path: path)
  }

  @Test func roundTrip() throws {
    let values = (0..<15).map { Double($0) * 0.1 - 0.7 }
    let file = try file { writer in
      writer.metadata["rank"] = "8 \"é\""
      writer.add("half", shape: [15], values, as: .float16)
      writer.add("double", shape: [3, 5], values)
      writer.add("brain", shape: [5, 3], values, as: .bfloat16)
      writer.add("single", shape: [1, 15], values.map(Float.init))
      writer.add("flags", shape: [3], type: ElementType(rawValue: "BOOL"), bytes: [1, 0, 1])
      writer.add("narrowed", shape: [15], values.map(Float.init), as: .bfloat16)
    }
    #expect(file.metadata == ["format": "pt", "rank": "8 \"é\""])
    #expect(file.tensors.keys.elements == ["half", "double", "brain", "single", "flags", "narrowed"])
    #expect(try file.entry("double").shape == [3, 5])
    #expect(try file.read("double", as: Double.self) == values)
    #expect(try file.read("double", as: Float.self) == values.map(Float.init))
    #expect(try file.read("single", as: Float.self) == values.map(Float.init))
    #expect(try file.read("single", as: Double.self) == values.map(FloatFormat.float32.rounded))
    #expect(try file.read("half", as: Double.self) == values.map(FloatFormat.float16.rounded))
    #expect(try file.read("brain", as: Float.self) == values.map { Float(FloatFormat.bfloat16.rounded($0)) })
    #expect(
      try file.read("narrowed", as: Double.self) == values.map { FloatFormat.bfloat16.rounded(Double(Float($0))) })
    #expect(try file.readBytes("flags") == [1, 0, 1])
  }

  @Test func everyTensorIsAligned() throws {
    let file = try file { writer in
      writer.add("odd", shape: [3], type: ElementType(rawValue: "U8"), bytes: [1, 2, 3])
      writer.add("half", shape: [3], [1, 2, 3] as [Double], as: .float16)
      writer.add("double", shape: [1], [1] as [Double])
      writer.add("single", shape: [1], [1] as [Float])
    }
    for entry in file.tensors.values {
      #expect(entry.byteRange.lowerBound.isMultiple(of: (entry.elementType.bits ?? 8) / 8))
    }
    let first = file.tensors.values.map(\.byteRange.lowerBound).min()
    #expect(first?.isMultiple(of: 8) == true)
  }

  @Test func emptyFileOfTensors() throws {
    var writer = SafetensorsWriter(metadata: [:])
    try writer.write(to: folder.path("empty.safetensors"))
    #expect(try TensorFile(path: folder.path("empty.safetensors")).tensors.isEmpty)
    writer.add("none", shape: [0, 4], [] as [Double])
    try writer.write(to: folder.path("empty.safetensors"))
    let file = try TensorFile(path: folder.path("empty.safetensors"))
    #expect(try file.read("none", as: Double.self) == [])
    #expect(try file.frobeniusNorm(of: "none") == 0)
  }

  @Test(arguments: [1, 7, 64, 1000, 5000])
  func blocksAddUpToTheTensor(length: Int) throws {
    let values = (0..<1000).map { Double($0).squareRoot() }
    let file = try file { $0.add("w", shape: [10, 100], values, as: .float32) }
    var read: [Double] = []
    try file.forEachBlock(of: "w", elements: length) { block, offset in
      #expect(offset == read.count)
      #expect(block.count == min(length, 1000 - offset))
      read += block
    }
    #expect(read == values.map(FloatFormat.float32.rounded))
    var bytes: [UInt8] = []
    try file.forEachByteBlock(of: "w", bytes: length) { bytes += $0 }
    #expect(try bytes == file.readBytes("w"))
  }

  @Test func errorsOfTheBodyPassThrough() throws {
    struct Stop: Error {}
    let file = try file { $0.add("w", shape: [2], [1, 2] as [Double]) }
    #expect(throws: Stop.self) { try file.forEachBlock(of: "w") { _, _ in throw Stop() } }
  }

  @Test func unknownTensor() throws {
    let file = try file { $0.add("w", shape: [2], [1, 2] as [Double]) }
    let error = #expect(throws: FileError.self) { try file.read("v", as: Double.self) }
    #expect(
      error?.description
        == "\(file.path): tensor \"v\": expected a tensor of this name, found none among 1")
  }

  @Test func nonFiniteValuesAreCounted() throws {
    var values = [Double](repeating: 1, count: 200_000)
    values[70_001] = .nan
    values[70_002] = -.infinity
    values[199_999] = .infinity
    let file = try file { writer in
      for format in FloatFormat.allCases { writer.add(format.rawValue, shape: [200_000], values, as: format) }
      writer.add("good", shape: [2], [1, 2] as [Double])
    }
    for format in FloatFormat.allCases {
      let name = format.rawValue
      let found = try file.countNonFinite(of: name)
      #expect(found.count == 3 && found.total == 200_000 && found.firstIndex == 70_001)
      let message =
        "\(file.path): tensor \"\(name)\": expected finite values, found 3 of 200000 that are not (first at index "
        + "70001). Use a version of it from before the numbers broke down"
      #expect(#expect(throws: FileError.self) { try file.readFinite(name, as: Float.self) }?.description == message)
      #expect(#expect(throws: FileError.self) { try file.readFinite(name, as: Double.self) }?.description == message)
      #expect(#expect(throws: FileError.self) { try file.frobeniusNorm(of: name) }?.description == message)
    }
    #expect(try file.countNonFinite(of: "good").count == 0)
    #expect(try file.readFinite("good", as: Double.self) == [1, 2])
  }

  @Test(arguments: [1, 0x1p-1074, 0x1p-600, 0x1p600, 0x1p1020])
  func normOfExtremeValues(scale: Double) throws {
    // 3, 4 and 12 lie in different blocks; the zeros between them make it 13 × scale exactly.
    var values = [Double](repeating: 0, count: 200_003)
    values[0] = 3 * scale
    values[100_000] = -4 * scale
    values[200_002] = 12 * scale / 2
    values[200_001] = values[200_002]
    let file = try file { $0.add("w", shape: [200_003], values) }
    // ‖(3, 4, 6, 6)‖ = √97, and powers of two scale it exactly down to the spacing of subnormal numbers.
    let expected = 97.0.squareRoot() * scale
    #expect(abs(try file.frobeniusNorm(of: "w") - expected) <= expected.ulp)
  }

  @Test func normOverManyMagnitudes() throws {
    let file = try file { writer in
      writer.add("falling", shape: [3], [1e200, 1e-200, 0] as [Double])
      writer.add("beyond", shape: [2], [Double](repeating: .greatestFiniteMagnitude, count: 2))
      writer.add("zero", shape: [2], [0, -0.0] as [Double])
      writer.add("brain", shape: [9], [Double](repeating: 2, count: 9), as: .bfloat16)
    }
    #expect(try file.frobeniusNorm(of: "falling") == 1e200)
    #expect(try file.frobeniusNorm(of: "beyond") == .infinity)
    #expect(try file.frobeniusNorm(of: "zero") == 0)
    #expect(try file.frobeniusNorm(of: "brain") == 6)
  }

  @Test func aFileThatShrinksIsReported() throws {
    let file = try file { $0.add("w", shape: [1000], [Double](repeating: 1, count: 1000)) }
    let handle = try #require(FileHandle(forWritingAtPath: file.path))
    try handle.truncate(atOffset: 4000)
    let start = try file.entry("w").byteRange.lowerBound
    let error = #expect(throws: FileError.self) { try file.read("w", as: Double.self) }
    #expect(
      error?.description
        == "\(file.path): expected 8000 bytes at offset \(start), found the end of the file; is it still being written?"
    )
    #expect(error?.kind == .badContent)
  }

  @Test func writingReplacesTheFileWhole() throws {
    let first = try file { $0.add("w", shape: [1], [1] as [Double]) }
    let second = try file { $0.add("w", shape: [1], [2] as [Double]) }
    // The first reader keeps the file that it opened.
    #expect(try first.read("w", as: Double.self) == [1])
    #expect(try second.read("w", as: Double.self) == [2])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["t.safetensors"])
  }
}
