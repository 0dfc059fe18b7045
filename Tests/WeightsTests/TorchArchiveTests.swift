import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

@Suite struct TorchArchiveTests {
  /// Compares every tensor of a file with what torch says of it.
  private func compare(_ file: TensorFile, _ reference: String) throws {
    let expected = try ReaderReferences.expected(reference)
    #expect(file.tensors.keys.elements == expected.map(\.name))
    for (name, tensor) in expected {
      let entry = try file.entry(name)
      #expect(entry.shape == tensor.shape, "\(name)")
      #expect(entry.elementType.rawValue == tensor.type, "\(name)")
      let bytes = try file.readBytes(name)
      #expect(ReaderReferences.digest(bytes) == tensor.bytes, "\(name)")
      #expect(entry.byteCount == bytes.count)
      var blocks: [UInt8] = []
      try file.forEachByteBlock(of: name, bytes: 7) { blocks += $0 }
      #expect(blocks == bytes)
      guard let values = tensor.values, let norm = tensor.norm else {
        #expect(throws: FileError.self) { try file.read(name, as: Double.self) }
        continue
      }
      let read = try file.readFinite(name, as: Double.self)
      #expect(ReaderReferences.digest(read) == values, "\(name)")
      #expect(try file.read(name, as: Float.self) == read.map(Float.init))
      #expect(isClose(try file.frobeniusNorm(of: name), norm), "\(name)")
      #expect(try file.countNonFinite(of: name).count == 0)
      var inBlocks: [Double] = []
      try file.forEachBlock(of: name, elements: 4) { block, offset in
        #expect(offset == inBlocks.count)
        inBlocks += block
      }
      #expect(inBlocks == read)
    }
  }

  @Test(arguments: 2...5)
  func everyProtocol(number: Int) throws {
    let file = try TensorFile(path: ReaderReferences.path("plain/protocol-\(number).pt"))
    try compare(file, "plain/protocol-2.pt")
    #expect(file.metadata.isEmpty)
    let views = file.tensors.values.filter { $0.strides != nil }.map(\.name)
    #expect(
      views == ["transposed", "transposed_bfloat16", "columns", "every_second", "checkered", "permuted"])
  }

  @Test(arguments: ["plain/wrapped.pt", "plain/nested.pt", "adapter/adapter_model.bin", "base/pytorch_model.bin"])
  func asTrainersSave(name: String) throws {
    let file = try TensorFile(path: ReaderReferences.path(name))
    try compare(file, name == "base/pytorch_model.bin" ? "base" : name)
  }

  @Test func theReferencesAreWhole() throws {
    let files = try #require(try ReaderReferences.manifest()["files"]?.object)
    #expect(files.count > 30)
    for (name, digest) in files {
      let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: ReaderReferences.path(name))))
      #expect(ReaderReferences.digest(bytes) == digest.string, "\(name)")
    }
  }

  @Test func fieldsOf64Bits() throws {
    let file = try TensorFile(path: ReaderReferences.path("plain/zip64.pt"))
    try compare(file, "plain/wrapped.pt")
  }

  @Test func aNameIsNoFormat() throws {
    let folder = try TemporaryFolder()
    let torch = folder.path("a.safetensors")
    try FileManager.default.copyItem(atPath: ReaderReferences.path("plain/wrapped.pt"), toPath: torch)
    #expect(try TensorFile(path: torch).tensors.keys.elements == ["a", "b"])
    var writer = SafetensorsWriter()
    writer.add("w", shape: [1], [2] as [Double])
    try writer.write(to: folder.path("b.pt"))
    #expect(try TensorFile(path: folder.path("b.pt")).read("w", as: Double.self) == [2])
  }

  @Test func partsOfMatrices() throws {
    let file = try TensorFile(path: ReaderReferences.path("plain/protocol-2.pt"))
    for entry in file.tensors.values where entry.shape.count == 2 && entry.elementType.format != nil {
      let (rows, columns) = (entry.shape[0], entry.shape[1])
      let whole = try file.read(entry.name, as: Double.self)
      for top in 0...rows {
        for bottom in top...rows {
          #expect(
            try file.readRows(entry.name, rows: top..<bottom, as: Double.self)
              == [Double](whole[top * columns..<bottom * columns]))
          for (left, right) in [(0, columns), (0, columns / 2), (columns / 3, columns), (columns, columns)] {
            let read = try file.readRectangle(entry.name, rows: top..<bottom, columns: left..<right, as: Double.self)
            #expect(read == part(of: whole, width: columns, rows: top..<bottom, columns: left..<right))
          }
        }
      }
    }
  }

  @Test func rowsOfOtherTensors() throws {
    let file = try TensorFile(path: ReaderReferences.path("plain/protocol-2.pt"))
    for name in ["bfloat16", "permuted", "every_second", "float16"] {
      let shape = try file.entry(name).shape
      let width = shape.dropFirst().reduce(1, *)
      let whole = try file.read(name, as: Double.self)
      let rows = 1..<shape[0]
      #expect(
        try file.readRows(name, rows: rows, as: Double.self)
          == [Double](whole[rows.lowerBound * width..<rows.upperBound * width]))
    }
    for name in ["bfloat16", "permuted"] {
      let shape = try file.entry(name).shape
      let whole = try file.read(name, as: Double.self)
      let read = try file.readRectangle(name, rows: 1..<5, columns: 1..<3, as: Double.self)
      #expect(read == part(of: whole, width: shape[2], rows: 1..<5, columns: 1..<3))
    }
    let error = #expect(throws: FileError.self) {
      try file.readRectangle("float16", rows: 0..<1, columns: 0..<1, as: Double.self)
    }
    #expect(error?.problem == "expected a matrix, found shape [9]")
  }

  @Test func otherFilesOfTorch() throws {
    func problem(_ name: String) throws -> FileError {
      try #require(throws: FileError.self) { try TensorFile(path: ReaderReferences.path(name)) }
    }
    let legacy = try problem("plain/legacy.pt")
    #expect(
      legacy.problem == "expected a safetensors file, found a Python pickle, as torch.save wrote before version 1.6")
    #expect(!legacy.remedy.isEmpty)
    let single = try problem("plain/one-tensor.pt")
    #expect(single.problem == "expected a dictionary of tensors, found another object")
    let malicious = try problem("plain/malicious.pt")
    #expect(malicious.kind == .badContent)
    #expect(malicious.object == #"global "posix.system""#)
    #expect(malicious.problem == "expected tensors only, found posix.system")
    #expect(!malicious.remedy.isEmpty)
  }
}
