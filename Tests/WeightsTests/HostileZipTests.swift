import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

private typealias P = RawPickle

@Suite struct HostileZipTests {
  private let folder: TemporaryFolder
  private static let pickle = P.whole(P.dictionary([("w", P.tensor([2, 3], [3, 1]))]))

  init() throws { folder = try TemporaryFolder() }

  private func problem(_ bytes: [UInt8]) throws -> FileError {
    let path = try folder.write("model.bin", bytes)
    let error = try #require(throws: FileError.self) { try TensorFile(path: path) }
    #expect(error.kind == .badContent)
    #expect(error.path == path)
    return error
  }

  private func problem(_ change: (inout RawZip) -> Void) throws -> FileError {
    try problem(torchArchive(pickle: Self.pickle, change: change))
  }

  @Test func compressedEntriesAreNamed() throws {
    for (method, flags, kind) in [(8, 0, "a deflated"), (12, 0, "a compressed"), (0, 1, "an encrypted")] {
      let error = try problem {
        $0.entries[2].method = method
        $0.entries[2].flags = flags
      }
      #expect(error.object == #"entry "archive/data/0""#)
      #expect(error.problem == "expected a stored entry, as torch.save writes, found \(kind) one")
    }
  }

  @Test func overlappingEntries() throws {
    let error = try problem { $0.entries[2].offset = 0 }
    #expect(error.problem.contains("of entry \"archive/data/0\"") || error.problem.contains("do not overlap"))
    // An entry inside the bytes of another, with a header that is right.
    let inner = torchArchive(pickle: Self.pickle) { $0.entries.removeLast(2) }
    let outer = try problem { zip in
      let offset = zip.entries[0].bytes.count + zip.entries[1].bytes.count + 2 * 30 + 16 + 17 + 30 + 14
      zip.entries[2].bytes = inner
      zip.entries.append(RawZip.Entry(name: "archive/data.pkl2", bytes: [], offset: offset))
    }
    #expect(
      outer.problem == #"expected entries that do not overlap, found "archive/data.pkl2" begin inside "archive/data/0""#
    )
  }

  @Test func sizesAndOffsetsThatLie() throws {
    let problems = [
      try problem { $0.entries[2].size = 25 + 4000 }, try problem { $0.entries[2].offset = 0x7FFF_FFFF },
      try problem { $0.entries[2].offset = 3 }, try problem { $0.entries[2].localName = "archive/data/9" },
      try problem { $0.entries[2].storedSize = 20 }, try problem { $0.declaredCount = 4 },
      try problem { $0.declaredCount = 2 }, try problem { $0.declaredCount = 60_000 },
      try problem { $0.declaredSize = 0x7FFF_FFFF }, try problem { $0.declaredOffset = 0x7FFF_FFFF },
      try problem { $0.declaredOffset = 7 }, try problem { $0.entries[2].size = 0xFFFF_FFFF },
      try problem { $0.entries.append($0.entries[1]) },
    ]
    for problem in problems { #expect(problem.object == "zip directory", "\(problem)") }
    #expect(problems[12].problem == #"expected every entry once, found "archive/byteorder" twice"#)
  }

  @Test func zipArchivesOfOtherThings() throws {
    #expect(try problem { $0.entries.removeFirst() }.problem.hasPrefix("expected a zip archive with one data.pkl"))
    #expect(
      try problem { $0.entries.append(RawZip.Entry(name: "other/data.pkl", bytes: [])) }.problem
        .hasPrefix("expected a zip archive with one data.pkl"))
    #expect(
      try problem { $0.entries.append(RawZip.Entry(name: "archive/constants.pkl", bytes: [])) }.problem
        == "expected tensors, found a TorchScript program")
    let big = try problem { $0.entries[1].bytes = [UInt8]("big".utf8) }
    #expect(big.object == "byteorder" && big.problem == #"expected numbers in little-endian order, found "big""#)
  }

  @Test func cutOff() throws {
    let bytes = torchArchive(pickle: Self.pickle)
    for length in stride(from: 4, to: bytes.count, by: 5) {
      #expect(try problem([UInt8](bytes[..<length])).remedy.isEmpty == false)
    }
    let real = try [UInt8](Data(contentsOf: URL(fileURLWithPath: ReaderReferences.path("plain/protocol-2.pt"))))
    for length in stride(from: 4, to: real.count, by: 331) {
      let error = try problem([UInt8](real[..<length]))
      #expect(error.problem == "expected a directory at the end of the zip archive, found none")
    }
  }

  @Test(arguments: [
    "plain/protocol-2.pt", "plain/protocol-4.pt", "fsdp2/actor/model_world_size_2_rank_0.pt",
    "fsdp1/actor/model_world_size_4_rank_1.pt",
  ])
  func damageNeverCrashes(name: String) throws {
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: ReaderReferences.path(name))))
    var generator = SeededGenerator(state: 20_250_917)
    let path = try folder.write("damaged", bytes)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    // The pickle comes first, the directory last; what lies between them are numbers, and any will do.
    let places = [0..<min(bytes.count / 2, 4000), max(0, bytes.count - 2500)..<bytes.count]
    for round in 0..<200 {
      var damaged = bytes
      for _ in 0...round % 2 {
        damaged[.random(in: places[round % 4 == 3 ? 1 : 0], using: &generator)] = .random(
          in: 0...255, using: &generator)
      }
      try handle.seek(toOffset: 0)
      try handle.write(contentsOf: Data(damaged))
      do throws(FileError) {
        let file = try TensorFile(path: path)
        for (name, entry) in file.tensors where entry.elementType.format != nil {
          _ = try file.read(name, as: Double.self)
        }
        for name in file.tensors.keys { _ = try file.readBytes(name) }
      } catch {
        #expect(error.kind == .badContent)
      }
    }
  }
}

/// SplitMix64.
private struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
