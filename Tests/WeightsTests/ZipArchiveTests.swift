import Testing
import Weights

/// The check values of the catalogue of CRCs, and archives that carry one.
@Suite struct ZipArchiveTests {
  @Test func checksumsAreThoseOfTheCatalogue() {
    let digits = [UInt8]("123456789".utf8)
    #expect(CRC32.ieee.checksum(digits[...]) == 0xCBF4_3926)
    #expect(CRC32.castagnoli.checksum(digits[...]) == 0xE306_9283)
    #expect(CRC32.ieee.checksum([]) == 0 && CRC32.castagnoli.checksum([]) == 0)
  }

  /// The whole of an archive with one entry, field by field.
  @Test func anArchiveOfOneEntry() {
    let bytes = ZipArchive([.init(name: "ab") { [UInt8]("123456789".utf8) }]).flatMap(\.self)
    let common: [UInt8] = [
      20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0, 0x26, 0x39, 0xF4, 0xCB, 9, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0,
    ]
    let local: [UInt8] = [0x50, 0x4B, 3, 4] + common + [0x61, 0x62] + [UInt8]("123456789".utf8)
    let central: [UInt8] =
      [0x50, 0x4B, 1, 2, 45, 0] + common + Array(repeating: 0, count: 14) + [0x61, 0x62]
    let end: [UInt8] =
      [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, UInt8(central.count), 0, 0, 0, UInt8(local.count), 0, 0, 0, 0, 0]
    #expect(bytes == local + central + end)
  }

  /// Contents are made one at a time, when they are written.
  @Test func contentsWaitForTheirTurn() {
    var made: [String] = []
    var archive = ZipArchive(
      ["a", "b"].map { name in
        .init(name: name) {
          made.append(name)
          return [1]
        }
      })
    #expect(made.isEmpty)
    #expect(archive.next()?.count == 31 && made == ["a"])
    #expect(archive.next() == [1] && made == ["a"])
    #expect(archive.next() != nil && made == ["a", "b"])
  }
}
