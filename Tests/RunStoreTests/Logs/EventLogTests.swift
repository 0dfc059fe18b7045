import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// TensorBoard's event files, as PyTorch and TRL wrote them and as they may be found.
@Suite struct EventLogTests {
  @Test func whatTensorBoardFindsIsFound() throws {
    let found = try TrainingLog.read(path: LogReferences.path("tensorboard"))
    let expected = try #require(try LogReferences.expected("tensorboard").object)
    #expect(found.kind == .tensorBoard && found.files.count == 2)
    #expect(Set(expected.keys) == ["train/reward", "train/kl", "train/entropy", "train/loss", "eval/reward"])
    for (tag, values) in expected {
      let column = tag.replacing("train/", with: "").replacing("/", with: "_")
      let numbers = values.object!.map { (Int($0.key)!, $0.value.double) }
      #expect(found.records.column(column) == Dictionary(uniqueKeysWithValues: numbers), "\(tag)")
    }
    #expect(Set(found.records.columns) == ["reward", "kl", "kl_increment", "entropy", "loss", "eval_reward"])
    #expect(found.records.nonFiniteSteps("loss") == [2, 3, 4])
  }

  /// One run of TRL: its event file in a subfolder, and its state, which has the same numbers in double precision.
  @Test func theTwoLogsOfOneRunAgree() throws {
    let state = try TrainingLog.read(path: LogReferences.path("trl")).records
    let events = try TrainingLog.read(path: LogReferences.path("trl/runs"))
    #expect(events.files == [LogReferences.path("trl/runs/first/events.out.tfevents.0.host")])
    #expect(Set(events.records.columns) == Set(state.columns))
    for (a, b) in zip(state.records, events.records.records) {
      #expect(a.step == b.step && a.nonFinite == b.nonFinite)
      for (column, value) in a.values where column != "kl_increment" {
        #expect(b.values[column] == .some(value.map { Double(Float($0)) }), "\(column) at step \(a.step)")
      }
    }
  }

  /// Wherever a live file ends, the records before are read.
  @Test func anUnfinishedLastRecordIsTheEnd() throws {
    let folder = try TemporaryFolder()
    let whole = EventBytes.file([.scalar("a", 1, step: 1), .scalar("a", 2, step: 2)])
    let first = EventBytes.file([.scalar("a", 1, step: 1)]).count
    for length in first..<whole.count {
      let path = try folder.write("x.tfevents.1", Array(whole.prefix(length)))
      #expect(try TrainingLog.read(path: path).records.column("a") == [1: 1], "\(length)")
    }
    for length in 0..<first {
      let path = try folder.write("x.tfevents.1", Array(whole.prefix(length)))
      #expect(try TrainingLog.read(path: path).records.isEmpty, "\(length)")
    }
    // Without the name, by the first record.
    let path = try folder.write("copied", whole)
    #expect(try TrainingLog.read(path: path).records.column("a") == [1: 1, 2: 2])
  }

  @Test func aLaterFileCountsFromItsFirstStepOn() throws {
    let folder = try TemporaryFolder()
    func write(_ name: String, at time: Double, _ values: [(String, Int, Float)]) throws {
      try folder.write(name, EventBytes.file(values.map { .scalar($0.0, $0.2, step: $0.1, time: time) }))
    }
    try write("runs/b/e.tfevents.1", at: 100, [("a", 1, 1), ("a", 2, 2), ("a", 3, 3), ("b", 3, 3)])
    try write("runs/a/e.tfevents.2", at: 200, [("a", 2, 20)])
    try folder.write("runs/a/other.txt", "no log")
    let found = try TrainingLog.read(path: folder.path)
    #expect(found.records.column("a") == [1: 1, 2: 20] && found.records.column("b") == [3: 3])
    #expect(found.files == [folder.path("runs/b/e.tfevents.1"), folder.path("runs/a/e.tfevents.2")])
  }

  @Test func whatIsNoScalarIsPassedOver() throws {
    let fields: [EventBytes] = [
      // Unknown fields of every wire type, a tensor of text, one of two numbers, one of an unknown shape.
      EventBytes(varint: 99, 7), EventBytes(fixed64: 98, 7), EventBytes(fixed32: 97, 7), EventBytes(bytes: 96, [1, 2]),
      .summary([.tag("text"), .tensor([EventBytes(varint: 1, 7), EventBytes(bytes: 8, [65])])]),
      .summary([.tag("two"), .tensor([.type(1), .shape([2]), EventBytes(bytes: 4, [0, 0, 128, 63, 0, 0, 0, 64])])]),
      .summary([.tag("odd"), .tensor([.type(1), .shape([1 << 62, 8]), EventBytes(bytes: 4, [0, 0, 128, 63])])]),
      .summary([.tag("one"), .tensor([.type(1), .shape([1, 1]), EventBytes(bytes: 4, [0, 0, 128, 63])])]),
      .summary([.tag("listed"), .tensor([.type(2), EventBytes(fixed64: 6, (0.1).bitPattern)])]),
      .summary([.tag("zero"), .tensor([.type(1)])]),
      .summary([.tag("train/total_flos"), EventBytes(fixed32: 2, 0)]),
      .summary([.tag("none")]),
    ]
    let folder = try TemporaryFolder()
    let path = try folder.write("x.tfevents.1", EventBytes.file([EventBytes.event(fields, step: 3)]))
    #expect(try TrainingLog.read(path: path).records.records.map(\.values) == [["one": 1, "listed": 0.1, "zero": 0]])
  }

  private func message(_ events: [EventBytes], _ change: (inout [UInt8]) -> Void = { _ in }) throws -> String? {
    var bytes = EventBytes.file(events)
    change(&bytes)
    return try logError(bytes, "x.tfevents.1")
  }

  private static let remedy = "Copy the file again; if the damage is in the original, take it out of the folder"

  @Test func damageIsNamed() throws {
    let good = EventBytes.scalar("a", 1, step: 1)
    let second = EventBytes.file([good]).count
    #expect(
      try message([good, good]) { $0[second] ^= 1 }
        == "x.tfevents.1: record 1 at byte \(second): expected a length with its checksum, found another checksum. "
        + Self.remedy)
    #expect(
      try message([good]) { $0[14] ^= 1 }
        == "x.tfevents.1: record 0 at byte 0: expected \(second - 16) bytes with their checksum, found another checksum. "
        + Self.remedy)
    // What a file system may leave at the end of a file after a crash.
    #expect(
      try message([good]) { $0 += [UInt8](repeating: 0, count: 64) }?
        .hasPrefix("x.tfevents.1: record 1 at byte \(second): expected a length with its checksum") == true)
    #expect(
      try message([good]) { $0 += EventBytes.header(.max) }
        == "x.tfevents.1: record 1 at byte \(second): expected at most 2147483647 bytes, found a claim of "
        + "18446744073709551615. \(Self.remedy)")
    // A length that can be, in a file that is not as long: its end has not been written.
    #expect(try message([good]) { $0 += EventBytes.header(1 << 30) } == nil)
    #expect(try message([]) { $0 = [1, 2, 3] + [UInt8](repeating: 9, count: 40) } != nil)
  }

  @Test(arguments: [
    ([EventBytes.scalar("a", 1, step: -1)], "expected step to be a whole number, found -1"),
    ([EventBytes(bytes: [0x2A, 0x7F])], "expected a field of 127 bytes, found 0 left"),
    ([EventBytes(bytes: [0x09, 1])], "expected a field of 8 bytes, found 1 left"),
    ([EventBytes(bytes: [0x0B])], "expected a field of protocol buffers, found key 11"),
    ([EventBytes(bytes: [0x02, 0])], "expected a field of protocol buffers, found key 2"),
    (
      [EventBytes(bytes: [0x10] + [UInt8](repeating: 0xFF, count: 12))],
      "expected a number of at most ten bytes, found one that does not end"
    ),
    (
      [EventBytes.event([.summary([EventBytes(fixed32: 2, 0)])], step: 1)],
      "expected a tag in UTF-8 for a scalar, found none"
    ),
    (
      [EventBytes.event([.summary([EventBytes(bytes: 1, [0xFF]), EventBytes(fixed32: 2, 0)])], step: 1)],
      "expected a tag in UTF-8 for a scalar, found none"
    ),
    (
      [EventBytes.event([.summary([.tag("a"), .tensor([.type(2), EventBytes(bytes: 4, [1, 2, 3])])])], step: 1)],
      "expected a scalar of 8 bytes, found 3"
    ),
  ])
  func messagesThatAreNoneAreNamed(events: [EventBytes], problem: String) throws {
    #expect(try message(events) == "x.tfevents.1: record 0 at byte 0: \(problem). \(Self.remedy)")
  }
}

/// Bytes of protocol buffers, and the records that hold them, written without the reader's code.
struct EventBytes: Sendable {
  var bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }
  init(varint field: UInt64, _ value: UInt64) { bytes = Self.varint(field << 3) + Self.varint(value) }
  init(fixed64 field: UInt64, _ value: UInt64) { bytes = Self.varint(field << 3 | 1) + Self.littleEndian(value) }
  init(fixed32 field: UInt64, _ value: UInt32) { bytes = Self.varint(field << 3 | 5) + Self.littleEndian(value) }
  init(bytes field: UInt64, _ value: [UInt8]) {
    bytes = Self.varint(field << 3 | 2) + Self.varint(UInt64(value.count)) + value
  }

  static func tag(_ name: String) -> EventBytes { EventBytes(bytes: 1, [UInt8](name.utf8)) }
  static func type(_ type: UInt64) -> EventBytes { EventBytes(varint: 1, type) }
  static func shape(_ extents: [UInt64]) -> EventBytes {
    EventBytes(bytes: 2, extents.flatMap { EventBytes(bytes: 2, EventBytes(varint: 1, $0).bytes).bytes })
  }
  static func tensor(_ fields: [EventBytes]) -> EventBytes { EventBytes(bytes: 8, fields.flatMap(\.bytes)) }
  static func summary(_ fields: [EventBytes]) -> EventBytes {
    EventBytes(bytes: 5, EventBytes(bytes: 1, fields.flatMap(\.bytes)).bytes)
  }

  static func event(_ fields: [EventBytes], step: Int, time: Double = 1) -> EventBytes {
    let head = [
      EventBytes(fixed64: 1, time.bitPattern), EventBytes(varint: 2, UInt64(bitPattern: Int64(step))),
    ]
    return EventBytes(bytes: (head + fields).flatMap(\.bytes))
  }

  static func scalar(_ name: String, _ value: Float, step: Int, time: Double = 1) -> EventBytes {
    event([summary([tag(name), EventBytes(fixed32: 2, value.bitPattern)])], step: step, time: time)
  }

  /// An event file of these messages.
  static func file(_ events: [EventBytes]) -> [UInt8] {
    events.flatMap { header(UInt64($0.bytes.count)) + $0.bytes + littleEndian(masked($0.bytes)) }
  }

  /// A length with its checksum.
  static func header(_ length: UInt64) -> [UInt8] { littleEndian(length) + littleEndian(masked(littleEndian(length))) }

  private static func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(truncatingIfNeeded: value) | 0x80] + varint(value >> 7)
  }

  private static func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian, Array.init)
  }

  /// The checksum bit by bit.
  private static func masked(_ bytes: [UInt8]) -> UInt32 {
    var value: UInt32 = ~0
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }
    return (~value >> 15 | ~value << 17) &+ 0xA282_EAD8
  }
}
