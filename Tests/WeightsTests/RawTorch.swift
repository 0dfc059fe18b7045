import Foundation
import TestSupport
import Weights

/// A zip archive byte by byte, right or wrong in every field.
struct RawZip {
  struct Entry {
    var name: String
    var bytes: [UInt8]
    var method = 0
    var flags = 0
    /// What the directory says instead of the truth.
    var size: Int?
    var storedSize: Int?
    var offset: Int?
    var localName: String?
  }

  var entries: [Entry] = []
  var declaredCount: Int?
  var declaredSize: Int?
  var declaredOffset: Int?

  /// The bytes of the archive; a declared count and so on stand in for the true ones.
  var bytes: [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let offset = file.count
      let (name, localName) = ([UInt8](entry.name.utf8), [UInt8]((entry.localName ?? entry.name).utf8))
      let stored = entry.storedSize ?? entry.size ?? entry.bytes.count
      let common =
        number(entry.flags, 2) + number(entry.method, 2) + number(0, 8) + number(stored, 4)
        + number(entry.size ?? entry.bytes.count, 4)
      file += number(0x0403_4B50, 4) + number(20, 2) + common + number(localName.count, 2) + number(0, 2)
      file += localName + entry.bytes
      directory += number(0x0201_4B50, 4) + number(20, 2) + number(20, 2) + common + number(name.count, 2)
      directory += number(0, 12) + number(entry.offset ?? offset, 4) + name
    }
    let count = declaredCount ?? entries.count
    let end =
      number(0x0605_4B50, 4) + number(0, 4) + number(count, 2) + number(count, 2)
      + number(declaredSize ?? directory.count, 4) + number(declaredOffset ?? file.count, 4) + number(0, 2)
    return file + directory + end
  }
}

func number(_ value: Int, _ size: Int) -> [UInt8] {
  (0..<size).map { UInt8(truncatingIfNeeded: $0 < 8 ? value >> (8 * $0) : 0) }
}

/// A pickle, piece by piece.
struct RawPickle {
  var bytes: [UInt8] = [0x80, 2]

  static func text(_ text: String) -> [UInt8] { [0x58] + number(text.utf8.count, 4) + [UInt8](text.utf8) }
  static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + number(value, 8) }
  static func global(_ name: String) -> [UInt8] {
    let dot = name.lastIndex(of: ".") ?? name.startIndex
    return [0x63] + [UInt8](name[..<dot].utf8) + [0x0A] + [UInt8](name[dot...].dropFirst().utf8) + [0x0A]
  }
  static func tuple(_ elements: [[UInt8]]) -> [UInt8] { [0x28] + elements.joined() + [0x74] }
  static func integers(_ values: [Int]) -> [UInt8] { tuple(values.map(integer)) }
  static func call(_ function: String, _ arguments: [[UInt8]]) -> [UInt8] {
    global(function) + tuple(arguments) + [0x52]
  }
  static func object(_ type: String, _ state: [(String, [UInt8])]) -> [UInt8] {
    global(type) + [0x29, 0x81] + dictionary(state) + [0x62]
  }
  static func dictionary(_ entries: [(String, [UInt8])]) -> [UInt8] {
    [0x7D, 0x28] + entries.flatMap { text($0.0) + $0.1 } + [0x75]
  }

  static func storage(_ type: String = "torch.FloatStorage", key: String = "0", count: Int) -> [UInt8] {
    tuple([text("storage"), global(type), text(key), text("cpu"), integer(count)]) + [0x51]
  }

  /// A tensor over a storage of that many elements.
  static func tensor(
    _ shape: [Int], _ strides: [Int], offset: Int = 0, count: Int = 6, type: String = "torch.FloatStorage",
    key: String = "0"
  ) -> [UInt8] {
    call(
      "torch._utils._rebuild_tensor_v2",
      [
        storage(type, key: key, count: count), integer(offset), integers(shape), integers(strides), [0x89],
        call("collections.OrderedDict", []),
      ])
  }

  /// A whole pickle of one value.
  static func whole(_ value: [UInt8]) -> [UInt8] { [0x80, 2] + value + [0x2E] }
}

/// A file of torch: a pickle and a storage of six float32.
func torchArchive(pickle: [UInt8], change: (inout RawZip) -> Void = { _ in }) -> [UInt8] {
  var zip = RawZip()
  let numbers = (0..<6).flatMap { number(Int(Float($0).bitPattern), 4) }
  zip.entries = [
    RawZip.Entry(name: "archive/data.pkl", bytes: pickle),
    RawZip.Entry(name: "archive/byteorder", bytes: [UInt8]("little".utf8)),
    RawZip.Entry(name: "archive/data/0", bytes: numbers),
  ]
  change(&zip)
  return zip.bytes
}
