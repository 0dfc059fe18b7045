import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

/// The error that opening these bytes gives, without the path in front.
private func opening(_ bytes: [UInt8]) throws -> String {
  let folder = try TemporaryFolder()
  let path = try folder.write("model.safetensors", bytes)
  let error = try #require(throws: FileError.self) { try TensorFile(path: path) }
  #expect(error.kind == .badContent)
  #expect(error.path == path)
  return String(error.description.dropFirst(path.count + 2))
}

/// The header of one tensor `w`, with the given fields.
private func one(_ fields: String) -> String { #"{"w":{"# + fields + "}}" }

@Suite struct SafetensorsHeaderTests {
  @Test func notASafetensorsFile() throws {
    let again = "Wait if the file is still being written, else copy or download it again"
    #expect(
      try opening([])
        == "expected a safetensors file, found an empty file. Wait if it is still being written, else copy or "
        + "download it again")
    #expect(
      try opening([1, 2, 3]) == "header: expected a safetensors file of at least 8 bytes, found 3. \(again)")
    #expect(
      try opening([UInt8](repeating: 0, count: 16))
        == "header: expected a header length between 1 and 100000000 bytes, found 0. \(again)")
    #expect(
      try opening(RawSafetensors.bytes(header: "{}", declaredLength: 100_000_001))
        == "header: expected a header length between 1 and 100000000 bytes, found 100000001. \(again)")
    #expect(
      try opening(RawSafetensors.bytes(header: "{}", declaredLength: .max))
        == "header: expected a header length between 1 and 100000000 bytes, found 18446744073709551615. \(again)")
    #expect(
      try opening(RawSafetensors.bytes(header: "{}", declaredLength: 3))
        == "header: expected a header of 3 bytes, found 2. \(again)")
    #expect(
      try opening(RawSafetensors.bytes(header: " {}"))
        == "header: expected the header to begin with '{', found byte 32. \(again)")
    #expect(
      try opening(RawSafetensors.bytes(header: "[1]"))
        == "header: expected the header to begin with '{', found byte 91. \(again)")
  }

  @Test(arguments: [
    (
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer",
      "Fetch the file itself with: git lfs pull"
    ),
    (
      "\n<!DOCTYPE html><html></html>", "an HTML page",
      "Download it again: this is often a server's error message saved under the file's name"
    ),
    (
      #"{"error":"Repository not found"}"#, "JSON text",
      "Download it again: this is often a server's error message saved under the file's name"
    ),
    ("GGUF\u{3}\u{0}\u{0}\u{0}\u{1}\u{0}\u{0}\u{0}", "a GGUF file", "Check the path"),
  ])
  func foreignFormats(content: String, found: String, remedy: String) throws {
    #expect(try opening([UInt8](content.utf8)) == "expected a safetensors file, found \(found). \(remedy)")
  }

  @Test func foreignBinaryFormats() throws {
    let pickle: [UInt8] = [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
    #expect(try opening(pickle).hasPrefix("expected a safetensors file, found a Python pickle"))
    let hdf5: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A, 0x00]
    #expect(try opening(hdf5).hasPrefix("expected a safetensors file, found an HDF5 file"))
  }

  @Test func aHeaderLengthThatLooksLikeAPickleIsFine() throws {
    let folder = try TemporaryFolder()
    let header = "{}" + String(repeating: " ", count: 0x280 - 2)
    let path = try folder.write("model.safetensors", RawSafetensors.bytes(header: header))
    #expect(try TensorFile(path: path).tensors.isEmpty)
  }

  @Test func textOfTheHeader() throws {
    #expect(
      try opening(RawSafetensors.bytes(header: [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]))
        == "header: invalid JSON at line 1, byte 2: expected UTF-8, found bytes that are not")
    #expect(
      try opening(RawSafetensors.bytes(header: "{\"a\":}"))
        == "header: invalid JSON at line 1, byte 5: expected a value, found '}'")
    #expect(
      try opening(RawSafetensors.bytes(header: #"{"w":{"dtype":"U8"},"w":1}"#))
        == #"header: invalid JSON at line 1, byte 20: expected every key once, found "w" twice"#)
    #expect(try opening(RawSafetensors.bytes(header: #"{"w":7}"#)) == #"tensor "w": expected a JSON object"#)
    #expect(
      try opening(RawSafetensors.bytes(header: #"{"__metadata__":7}"#))
        == "__metadata__: expected a JSON object of strings")
    #expect(
      try opening(RawSafetensors.bytes(header: #"{"__metadata__":{"format":7}}"#))
        == #"__metadata__: expected a string for "format", found another type"#)
  }

  @Test(arguments: [
    (#""shape":[1],"data_offsets":[0,4]"#, "expected a dtype, found none"),
    (#""dtype":3,"shape":[1],"data_offsets":[0,4]"#, "expected dtype to be a string, found 3"),
    (#""dtype":"F32","data_offsets":[0,4]"#, "expected a shape, found none"),
    (
      #""dtype":"F32","shape":1,"data_offsets":[0,4]"#,
      "expected shape to be a list of non-negative integers, found 1"
    ),
    (
      #""dtype":"F32","shape":[-1],"data_offsets":[0,4]"#,
      "expected shape to be a list of non-negative integers, found [-1]"
    ),
    (
      #""dtype":"F32","shape":[1.0],"data_offsets":[0,4]"#,
      "expected shape to be a list of non-negative integers, found [1.0]"
    ),
    (
      #""dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]"#,
      "expected shape to be a list of non-negative integers, found [1.8446744073709552e+19]"
    ),
    (#""dtype":"F32","shape":[1]"#, "expected data_offsets, found none"),
    (
      #""dtype":"F32","shape":[1],"data_offsets":[0]"#,
      "expected data_offsets to be two non-negative integers, found [0]"
    ),
    (
      #""dtype":"F32","shape":[1],"data_offsets":[-4,0]"#,
      "expected data_offsets to be two non-negative integers, found [-4,0]"
    ),
    (#""dtype":"F32","shape":[1],"data_offsets":[4,0]"#, "expected data_offsets in ascending order, found [4,0]"),
    (
      #""dtype":"F32","shape":[2],"data_offsets":[0,8]"#,
      "expected 8 bytes of data, found 4. Wait if the file is still being written, else copy or download it again"
    ),
    (#""dtype":"F32","shape":[2],"data_offsets":[0,4]"#, "expected 8 bytes for F32 of shape [2], found 4 bytes"),
    (#""dtype":"F16","shape":[],"data_offsets":[0,4]"#, "expected 2 bytes for F16 of shape [], found 4 bytes"),
    (
      #""dtype":"F6_E2M3","shape":[5],"data_offsets":[0,4]"#,
      "expected a whole number of bytes for F6_E2M3 of shape [5], found 4 bytes"
    ),
    (
      #""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]"#,
      "expected a size that fits 64 bits, found shape [4294967296, 4294967296]"
    ),
    (
      #""dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4]"#,
      "expected a size that fits 64 bits, found shape [1152921504606846976]"
    ),
    (
      #""dtype":"??","shape":[4611686018427387904,4],"data_offsets":[0,4]"#,
      "expected a size that fits 64 bits, found shape [4611686018427387904, 4]"
    ),
  ])
  func fieldsOfATensor(fields: String, problem: String) throws {
    #expect(try opening(RawSafetensors.bytes(header: one(fields), dataSize: 4)) == #"tensor "w": "# + problem)
  }

  @Test func coverageOfTheData() throws {
    func header(_ ranges: [(String, Int, Int)]) -> String {
      let entries = ranges.map { #""\#($0)":{"dtype":"U8","shape":[\#($2 - $1)],"data_offsets":[\#($1),\#($2)]}"# }
      return "{" + entries.joined(separator: ",") + "}"
    }
    func problem(_ ranges: [(String, Int, Int)], dataSize: Int) throws -> String {
      try opening(RawSafetensors.bytes(header: header(ranges), dataSize: dataSize))
    }
    let expected = "expected data without gaps and overlaps, found"
    #expect(
      try problem([("b", 4, 8), ("a", 0, 6)], dataSize: 8)
        == #"tensor "b": \#(expected) an overlap of 2 bytes with "a""#)
    #expect(try problem([("a", 0, 8), ("b", 0, 8)], dataSize: 8).contains("an overlap of 8 bytes"))
    #expect(
      try problem([("a", 0, 4), ("b", 6, 8)], dataSize: 8) == #"tensor "b": \#(expected) a hole of 2 bytes after "a""#)
    #expect(
      try problem([("a", 2, 8)], dataSize: 8)
        == #"tensor "a": \#(expected) a hole of 2 bytes at the beginning of the data"#)
    #expect(
      try problem([("a", 0, 8)], dataSize: 11) == "expected the file to end after the last tensor, found 3 more bytes")
    #expect(try problem([], dataSize: 1) == "expected the file to end after the last tensor, found 1 more bytes")
  }

  @Test func hostileNamesAreSpelledOut() throws {
    let text = try opening(RawSafetensors.bytes(header: #"{"a\u001b[31m\n":7}"#))
    #expect(text == #"tensor "a\u{1b}[31m\u{a}": expected a JSON object"#)
  }

  @Test func unknownAndEmptyTensorsAreAccepted() throws {
    let folder = try TemporaryFolder()
    let header =
      #"{"q":{"dtype":"Q4_K","shape":[64],"data_offsets":[2,9]},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[2,2]},"#
      + #""s":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}   "#
    let path = try folder.write("model.safetensors", RawSafetensors.bytes(header: header, dataSize: 9))
    let file = try TensorFile(path: path)
    #expect(file.tensors.keys.elements == ["q", "e", "s"])
    #expect(try file.read("e", as: Double.self) == [])
    #expect(try file.read("s", as: Float.self) == [0])
    #expect(try file.readBytes("q").count == 7)
    let error = #expect(throws: FileError.self) { try file.read("q", as: Double.self) }
    #expect(
      error?.description == "\(path): tensor \"q\": expected one of F64, F32, F16, BF16, found \"Q4_K\", which cannot "
        + "be read. Save the model in one of those types")
  }

  @Test func randomDamageNeverCrashes() throws {
    let folder = try TemporaryFolder()
    var writer = SafetensorsWriter()
    writer.add("a", shape: [2, 3], [1, 2, 3, 4, 5, 6] as [Float])
    writer.add("b", shape: [4], [1, 2, 3, 4] as [Double], as: .bfloat16)
    try writer.write(to: folder.path("good"))
    let good = try PositionedFile(path: folder.path("good"))
    let bytes = try good.read(good.size, at: 0)
    // One file written over and over: making files is slow on some file systems.
    let path = try folder.write("damaged", bytes)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    for _ in 0..<3000 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...4) { damaged[.random(in: 0..<damaged.count)] = .random(in: 0...255) }
      if Bool.random() { damaged.removeLast(.random(in: 0..<damaged.count)) }
      try handle.seek(toOffset: 0)
      try handle.write(contentsOf: Data(damaged))
      try handle.truncate(atOffset: UInt64(damaged.count))
      do throws(FileError) {
        let file = try TensorFile(path: path)
        for name in file.tensors.keys { _ = try file.read(name, as: Double.self) }
      } catch {
        #expect(error.kind == .badContent)
      }
    }
  }
}
