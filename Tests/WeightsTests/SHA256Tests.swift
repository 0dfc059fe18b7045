import TestSupport
import Testing
import Weights

/// SHA-256 against the vectors of NIST, and the digest of a base model.
@Suite struct SHA256Tests {
  private static func digest(_ bytes: [UInt8]) -> String {
    var digest = SHA256()
    digest.update(bytes)
    return digest.hexadecimal
  }

  /// FIPS 180-4's examples, and short messages of NIST's CAVP (SHA256ShortMsg.rsp).
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
  ])
  func examples(text: String, expected: String) {
    #expect(Self.digest(Array(text.utf8)) == expected)
  }

  @Test(
    arguments: [
      ([0xd3], "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
      ([0x11, 0xaf], "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"),
      ([0x74, 0xba, 0x25, 0x21], "b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e"),
    ] as [([UInt8], String)])
  func shortMessages(bytes: [UInt8], expected: String) {
    #expect(Self.digest(bytes) == expected)
  }

  private static let millionA = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

  @Test(arguments: [1, 3, 55, 56, 63, 64, 65, 127, 128, 1000, 1_000_000])
  func aMillionInPieces(length: Int) {
    var digest = SHA256()
    var left = 1_000_000
    while left > 0 {
      let count = min(length, left)
      digest.update([UInt8](repeating: UInt8(ascii: "a"), count: count))
      left -= count
    }
    #expect(digest.hexadecimal == Self.millionA)
  }

  /// Every length around the block's, in pieces of growing and of no length, and asked for on the way.
  @Test func piecesOfAnyLength() {
    for total in 0..<260 {
      let bytes = (0..<total).map { UInt8(truncatingIfNeeded: 37 &* $0 &+ 11) }
      var digest = SHA256()
      var (start, length) = (0, 0)
      while start < total {
        digest.update(Array(bytes[start..<min(start + length, total)]))
        start += length
        length += 1
        _ = digest.hexadecimal
      }
      #expect(digest.hexadecimal == Self.digest(bytes))
    }
  }

  @Test func numbersAreLittleEndianBytes() {
    var digest = SHA256()
    digest.update([1, -2.5] as [Float])
    #expect(digest.hexadecimal == Self.digest([0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0]))
  }

  /// The base's digest by its definition, written out by hand.
  @Test func aBaseIsItsTensorsInTheOrderOfTheirNames() throws {
    let folder = try TemporaryFolder()
    func write(_ names: [String]) throws {
      var writer = SafetensorsWriter()
      for name in names {
        name == "é"
          ? writer.add(name, shape: [1], [0.5], as: .float32) : writer.add(name, shape: [2, 1], [1, 2], as: .bfloat16)
      }
      try writer.write(to: folder.path("model.safetensors"))
    }
    try write(["é", "a"])
    let expected = Self.digest(
      Array("[\"a\",\"BF16\",[2,1]]\n".utf8) + [0x80, 0x3F, 0, 0x40] + Array("[\"é\",\"F32\",[1]]\n".utf8)
        + [0, 0, 0, 0x3F])
    #expect(try BaseIdentity.sha256(of: BaseModel(path: folder.path)) == expected)
    try write(["a", "é"])
    #expect(try BaseIdentity.sha256(of: BaseModel(path: folder.path)) == expected)
  }

  /// A model cut into shards is the same model.
  @Test func shardsDoNotMatter() throws {
    let whole = try TemporaryFolder()
    let sharded = try BaseModel(path: ReferenceCase.folder + "/bases/llama")
    var writer = SafetensorsWriter()
    for name in sharded.tensorNames {
      let file = try sharded.file(holding: name)
      let entry = try file.entry(name)
      writer.add(name, shape: entry.shape, type: entry.elementType, bytes: try file.readBytes(name))
    }
    try writer.write(to: whole.path("model.safetensors"))
    let digest = try BaseIdentity.sha256(of: sharded)
    #expect(try BaseIdentity.sha256(of: BaseModel(path: whole.path)) == digest)
    let other = try BaseModel(path: ReferenceCase.folder + "/bases/llama-f32")
    #expect(try BaseIdentity.sha256(of: other) != digest)
  }
}
