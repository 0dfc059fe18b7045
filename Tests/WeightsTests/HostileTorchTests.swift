import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

private typealias P = RawPickle

@Suite struct HostileTorchTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(_ bytes: [UInt8]) throws -> TensorFile {
    try TensorFile(path: folder.write("model.bin", bytes))
  }

  private func problem(_ bytes: [UInt8]) throws -> FileError {
    let error = try #require(throws: FileError.self) { try open(bytes) }
    #expect(error.kind == .badContent)
    #expect(error.path == folder.path("model.bin"))
    return error
  }

  private func problem(pickle: [UInt8]) throws -> FileError { try problem(torchArchive(pickle: P.whole(pickle))) }

  private static let good = P.dictionary([("w", P.tensor([2, 3], [3, 1]))])

  @Test func theHelperWritesWhatTorchReads() throws {
    let file = try open(torchArchive(pickle: P.whole(Self.good)))
    #expect(try file.read("w", as: Double.self) == [0, 1, 2, 3, 4, 5])
    let views = P.dictionary([
      ("t", P.tensor([3, 2], [1, 3])), ("c", P.tensor([2, 2], [3, 1], offset: 1)), ("s", P.tensor([], [], offset: 5)),
      ("e", P.tensor([0, 7], [7, 1], offset: 6)), ("one", P.tensor([1, 3], [99, 2])),
    ])
    let other = try open(torchArchive(pickle: P.whole(views)))
    #expect(try other.read("t", as: Double.self) == [0, 3, 1, 4, 2, 5])
    #expect(try other.read("c", as: Double.self) == [1, 2, 4, 5])
    #expect(try other.read("s", as: Double.self) == [5])
    #expect(try other.read("e", as: Double.self) == [])
    #expect(try other.read("one", as: Double.self) == [0, 2, 4])
  }

  // MARK: - Code

  @Test(arguments: [
    "os.system", "posix.system", "nt.system", "builtins.eval", "__builtin__.exec", "subprocess.Popen", "torch.load",
    "torch.hub.load", "numpy.core.multiarray._reconstruct", "builtins.getattr ", "torch.FloatStorage.x",
  ])
  func namesAreRefused(name: String) throws {
    let calls = [
      P.call(name, [P.text("id")]), P.dictionary([("w", P.tensor([2, 3], [3, 1])), ("x", P.call(name, []))]),
      P.text(String(name[..<name.lastIndex(of: ".")!])) + P.text(String(name[name.lastIndex(of: ".")!...].dropFirst()))
        + [0x93],
      // INST, which imports and calls at once.
      [0x28, 0x69] + P.global(name).dropFirst(),
    ]
    for pickle in calls {
      let error = try problem(pickle: pickle)
      #expect(error.object == "global \"\(name)\"")
      #expect(error.problem == "expected tensors only, found \(name)")
      #expect(error.remedy.hasPrefix("Nothing of it was run"))
    }
  }

  @Test func hostileNamesAreSpelledOut() throws {
    let error = try problem(pickle: P.global("os.\u{1B}[31m"))
    #expect(error.problem == #"expected tensors only, found os.\u{1b}[31m"#)
  }

  @Test func getattrIsForOneClassOnly() throws {
    let sharded = "torch.distributed._shard.sharded_tensor.api.ShardedTensor"
    for (owner, name) in [("torch.Tensor", "ProcessGroupState"), (sharded, "__reduce__"), (sharded, "__init__")] {
      let error = try problem(pickle: P.call("builtins.getattr", [P.global(owner), P.text(name)]))
      #expect(error.problem == "expected tensors only, found builtins.getattr")
    }
  }

  @Test func allowedNamesAreNotCalledWithAnything() throws {
    // Calls of strings, of tuples, of what a call gave: none is a name.
    for function in [P.text("os.system"), P.integers([1]), P.integer(3), P.dictionary([])] {
      #expect(try problem(pickle: function + P.tuple([]) + [0x52]).object == "data.pkl")
    }
  }

  @Test(arguments: [
    0x49, 0x4C, 0x53, 0x54, 0x55, 0x50, 0x6F, 0x82, 0x83, 0x84, 0x8F, 0x90, 0x91, 0x92, 0x97, 0x98, 0x00, 0xFF,
  ])
  func otherInstructionsAreNamed(code: UInt8) throws {
    let error = try problem(pickle: [code, 0x0A, 0x0A, 0, 0, 0])
    #expect(
      error.problem == "expected instructions that torch.save writes, found 0x\(String(code, radix: 16)) at byte 2")
  }

  // MARK: - Tensors

  @Test(arguments: [
    (P.tensor([2, 3], [3, 1], count: 7), "expected 7 elements of F32 in entry \"data/0\", found 24 bytes"),
    (P.tensor([2, 3], [3, 1], count: -6), "expected -6 elements of F32 in entry \"data/0\", found 24 bytes"),
    (P.tensor([2, 3], [3, 1], count: .max), "expected 9223372036854775807 elements of F32"),
    (P.tensor([2, 3], [3, 1], count: 6, type: "torch.DoubleStorage"), "expected 6 elements of F64"),
    (P.tensor([2, 3], [-3, 1]), "expected offset, shape and strides without negative numbers"),
    (P.tensor([-2, 3], [3, 1]), "expected offset, shape and strides without negative numbers"),
    (P.tensor([2, 3], [3, 1], offset: -1), "expected offset, shape and strides without negative numbers"),
    (
      P.tensor([2, 3], [3, 1], offset: 1),
      "expected a tensor inside its 6 stored elements, found offset 1, shape [2, 3]"
    ),
    (P.tensor([2, 3], [4, 1]), "expected a tensor inside its 6 stored elements"),
    (P.tensor([2, 3], [.max, 1]), "expected a tensor inside its 6 stored elements"),
    (P.tensor([2, 3], [.max, .max]), "expected a tensor inside its 6 stored elements"),
    (P.tensor([7], [0]), "expected at most the 6 stored elements, found shape [7]"),
    (P.tensor([1 << 40, 1 << 40], [0, 0]), "expected a tensor inside its 6 stored elements"),
    (P.tensor([1 << 40, 1 << 40, 0], [0, 0, 0]), "expected a tensor inside its 6 stored elements"),
    (P.tensor([0], [1], offset: 7), "expected a tensor inside its 6 stored elements"),
    (P.tensor([2, 3], [1]), "expected storage, offset, shape and strides, found something else"),
    (P.tensor([2, 3], [3, 1], key: "1"), "expected entry \"data/1\" in the archive, found none"),
    (
      P.tensor([2, 3], [3, 1], key: "../byteorder"), "expected entry \"data/../byteorder\" in the archive, found none"
    ),
    (
      P.tensor([2, 3], [3, 1], type: "torch.float32"), "expected a storage of known elements, found \"torch.float32\""
    ),
    (P.call("torch._utils._rebuild_tensor_v2", []), "expected a tensor, found an object of another form"),
    (P.call("torch._utils._rebuild_tensor_v2", [P.integer(1)]), "expected storage, offset, shape and strides"),
    (P.call("torch._utils._rebuild_parameter", [P.integer(1)]), "expected a tensor, found an object of another form"),
  ])
  func tensorsThatDoNotFit(tensor: [UInt8], expected: String) throws {
    let error = try problem(pickle: P.dictionary([("w", tensor)]))
    #expect(error.object == #"tensor "w""#)
    #expect(error.problem.hasPrefix(expected), "\(error.problem)")
  }

  @Test func aTensorInsideItself() throws {
    // A parameter of itself, and a DTensor that is its own share.
    let itself = P.global("torch._utils._rebuild_parameter") + [0x5D, 0x71, 0] + [0x52, 0x71, 1]
    let loop = itself + [0x30, 0x68, 0, 0x68, 1, 0x61, 0x30]
    let error = try problem(pickle: loop + P.dictionary([("w", [0x68, 1])]))
    #expect(error.problem == "expected a tensor, found an object of another form")
    let type = P.global("torch.distributed.tensor.DTensor")
    let arguments = P.tuple([type, P.global("torch.float32"), P.integers([2, 3])])
    let state = [0x7D, 0x71, 2] as [UInt8]
    let share =
      P.global("torch._tensor._rebuild_from_type_v2")
      + P.tuple([P.global("torch._utils._rebuild_wrapper_subclass"), type, arguments, state]) + [0x52, 0x71, 3]
    let filled =
      share + [0x30, 0x68, 2] + P.text("_local_tensor") + [0x68, 3, 0x73] + P.text("_spec") + [0x68, 3, 0x73, 0x30]
    let distributed = try problem(pickle: filled + P.dictionary([("w", [0x68, 3])]))
    #expect(distributed.problem == "expected the placements of a DTensor, found none")
  }

  // MARK: - Size

  @Test func deepNesting() throws {
    let deep = [UInt8](repeating: 0x5D, count: 200_000) + [UInt8](repeating: 0x61, count: 199_999)
    #expect(try problem(pickle: deep).problem == "expected a dictionary of tensors, found another object")
    let tuples = [0x29] + [UInt8](repeating: 0x85, count: 200_000)
    #expect(try problem(pickle: tuples).object == "data.pkl")
    let marks = try problem(pickle: [UInt8](repeating: 0x28, count: 200_000))
    #expect(marks.problem.hasPrefix("expected a value in front of byte"))
    // Dictionaries in dictionaries: nothing is looked for so deep.
    let key = P.text("k")
    let levels = [[UInt8]](repeating: [0x7D] + key, count: 10_000).joined()
    let nested = [UInt8](levels) + Self.good + [UInt8](repeating: 0x73, count: 10_000)
    #expect(try open(torchArchive(pickle: P.whole(nested))).tensors.isEmpty)
  }

  @Test func sharedTuplesStaySmall() throws {
    // Each tuple holds the one before twice: 2^5000 elements if anybody unrolled them.
    let bomb: [UInt8] = [0x29] + [[UInt8]](repeating: [0x71, 0, 0x68, 0, 0x86], count: 5000).joined()
    #expect(try problem(pickle: bomb).problem == "expected a dictionary of tensors, found another object")
    let file = try open(torchArchive(pickle: P.whole(P.dictionary([("b", bomb), ("w", P.tensor([6], [1]))]))))
    #expect(file.tensors.keys.elements == ["w"])
  }

  @Test func viewsThatRepeatTheFile() throws {
    // Every row spans half of the storage: 2.5·10¹¹ elements if each were read by itself.
    let count = 1_000_000
    let view = P.tensor([count / 2, 2], [1, count / 2], count: count)
    let crossed = P.tensor([2, count / 4], [count / 2 - 1, 2], count: count)
    let wide = P.tensor([count / 2 - 1, 2], [2, count / 2 - 1], offset: 0, count: 2 * count)
    let zeros = [UInt8](repeating: 0, count: 4 * count)
    for tensor in [view, crossed] {
      let bytes = torchArchive(pickle: P.whole(P.dictionary([("w", tensor)]))) { $0.entries[2].bytes = zeros }
      let file = try open(bytes)
      #expect(try file.frobeniusNorm(of: "w") == 0)
      #expect(try file.readRectangle("w", rows: 1..<2, columns: 1..<2, as: Float.self) == [0])
    }
    let bytes = torchArchive(pickle: P.whole(P.dictionary([("w", wide)]))) { $0.entries[2].bytes = zeros + zeros }
    #expect(try open(bytes).read("w", as: Float.self).count == count - 2)
  }

  @Test func manyTensorsOverOneStorage() throws {
    let tensor = P.tensor([6], [1]) + [0x71, 0]
    let names = P.dictionary([("first", tensor)] + (0..<20_000).map { ("\($0)", [0x68, 0]) })
    let zip = torchArchive(pickle: P.whole(names)) { $0.entries[2].bytes = [UInt8](repeating: 0, count: 24) }
    #expect(try open(zip).tensors.count == 20_001)
    let large = P.tensor([100_000], [1], count: 100_000) + [0x71, 0]
    let repeated = P.dictionary([("first", large)] + (0..<2000).map { ("\($0)", [0x68, 0]) })
    let error = try problem(
      torchArchive(pickle: P.whole(repeated)) { $0.entries[2].bytes = [UInt8](repeating: 0, count: 400_000) })
    #expect(error.problem == "expected tensors of at most 256 times the file's size, found more that share its bytes")
  }

  @Test func aWrapperThousandsOfTimes() throws {
    let inner = P.dictionary((0..<3000).map { ("\($0)", [0x4E]) }) + [0x71, 0]
    let root = P.dictionary([("model", inner)] + (0..<3000).map { _ in ("model", [0x68, 0]) })
    #expect(try problem(pickle: root).problem == "expected at most 1000000 entries, found more")
  }

  @Test func sharedDictionariesAreCounted() throws {
    // Seven levels of 300 references each to the next one: 300^7 names.
    var pickle = P.dictionary([("e", [0x4E])]) + [0x71, 0]
    for _ in 0..<7 {
      pickle += P.dictionary((0..<300).map { ("\($0)", [0x68, 0]) }) + [0x71, 0]
    }
    #expect(try problem(pickle: pickle).problem == "expected at most 1000000 entries, found more")
    let long = String(repeating: "n", count: 3000)
    let names = P.dictionary([(long, P.dictionary([(long, P.tensor([6], [1]))]))])
    #expect(try problem(pickle: names).problem == "expected a name of at most 4096 bytes, found more")
  }

  @Test(arguments: [
    [0x58, 0xFF, 0xFF, 0xFF, 0x7F], [0x8D, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    [0x42, 0xFF, 0xFF, 0xFF, 0x7F],
    [0x8B, 0xFF, 0xFF, 0xFF, 0xFF], [0x8E] + [UInt8](repeating: 0xFF, count: 8), [0x95, 1], [0x63, 0x61], [0x4A],
  ])
  func lengthsBeyondTheEnd(instruction: [UInt8]) throws {
    let error = try problem(torchArchive(pickle: [0x80, 2] + instruction))
    #expect(error.object == "data.pkl")
  }

  @Test(arguments: [
    [0x2E], [0x30, 0x2E], [0x52, 0x2E], [0x61, 0x2E], [0x75, 0x2E], [0x74, 0x2E], [0x68, 9, 0x2E], [0x71, 0, 0x2E],
    [0x28, 0x30, 0x2E], [0x28, 0x28, 0x31, 0x61, 0x2E], [0x4E, 0x4E, 0x62, 0x2E], [0x5D, 0x4E, 0x4E, 0x73, 0x2E],
    [0x7D, 0x28, 0x4E, 0x75, 0x2E], [0x51, 0x2E], [0x93, 0x2E], [0x4E, 0x28, 0x86, 0x2E], [],
  ])
  func nothingOnTheStack(instructions: [UInt8]) throws {
    #expect(try problem(torchArchive(pickle: [0x80, 2] + instructions)).object == "data.pkl")
  }

  @Test(arguments: [
    [], [0x80], [0x80, 1, 0x4E, 0x2E], [0x80, 9, 0x4E, 0x2E], [0x7D, 0x2E], [UInt8](repeating: 0x80, count: 9),
  ])
  func noPickle(bytes: [UInt8]) throws {
    #expect(try problem(torchArchive(pickle: bytes)).object == "data.pkl")
  }
}
