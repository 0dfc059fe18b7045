import Weights

/// A record of TensorBoard's event files to be written: the numbers of one step.
package struct EventRecord: Sendable {
  /// How many values lie in each of some intervals of equal width.
  package struct Histogram: Sendable {
    package var tag: String
    package var values: [Double]
    /// All values lie in it; of the same range of several steps TensorBoard can draw one behind the other.
    package var range: ClosedRange<Double>

    package init(tag: String, values: [Double], range: ClosedRange<Double>) {
      self.tag = tag
      self.values = values
      self.range = range
    }
  }

  /// The name of an exported file: always the same, so that a run exported again has its curves once. TensorBoard knows event files by
  /// `tfevents` in their names.
  package static let fileName = "events.out.tfevents.0000000000.spectroscope"

  static let lengthSize = 8
  static let checksumSize = 4

  private var step: Int
  private var wallTime: Double
  private var summary = ProtobufMessage()

  /// - Parameter wallTime: in seconds since 1970.
  package init(step: Int, wallTime: Double) {
    self.step = step
    self.wallTime = wallTime
  }

  /// Adds a scalar. TensorBoard's are float32.
  package mutating func add(_ value: Double, for tag: String) {
    var entry = ProtobufMessage()
    entry.add(1, text: tag)
    entry.add(2, float: Float(value))
    summary.add(1, message: entry)
  }

  package mutating func add(_ histogram: Histogram) {
    var entry = ProtobufMessage()
    entry.add(1, text: histogram.tag)
    entry.add(5, message: histogram.message)
    summary.add(1, message: entry)
  }

  /// The record as it stands in the file.
  package var bytes: [UInt8] {
    var event = ProtobufMessage()
    event.add(1, double: wallTime)
    event.add(2, varint: step)
    event.add(5, message: summary)
    return Self.framed(event)
  }

  /// The record that a file begins with.
  package static func start(wallTime: Double) -> [UInt8] {
    var event = ProtobufMessage()
    event.add(1, double: wallTime)
    event.add(3, text: "brain.Event:2")
    return framed(event)
  }

  private static func framed(_ event: ProtobufMessage) -> [UInt8] {
    var record: [UInt8] = []
    record.append(littleEndian: UInt64(event.bytes.count))
    record.append(littleEndian: checksum(of: record[...]))
    record += event.bytes
    record.append(littleEndian: checksum(of: event.bytes[...]))
    return record
  }

  /// The checksum as it is stored beside data that may hold checksums itself: turned by 15 bits, plus a constant.
  static func checksum(of bytes: ArraySlice<UInt8>) -> UInt32 {
    let value = CRC32.castagnoli.checksum(bytes)
    return (value >> 15 | value << 17) &+ 0xA282_EAD8
  }
}

extension EventRecord.Histogram {
  private static let intervals = 30

  /// TensorFlow's `HistogramProto`.
  fileprivate var message: ProtobufMessage {
    var counts = Array(repeating: 0.0, count: Self.intervals)
    let width = (range.upperBound - range.lowerBound) / Double(Self.intervals)
    for value in values {
      let place = width > 0 ? Int((value - range.lowerBound) / width) : 0
      counts[min(max(place, 0), Self.intervals - 1)] += 1
    }
    let limits = (1...Self.intervals).map {
      $0 == Self.intervals ? range.upperBound : range.lowerBound + width * Double($0)
    }
    var message = ProtobufMessage()
    message.add(1, double: values.min() ?? 0)
    message.add(2, double: values.max() ?? 0)
    message.add(3, double: Double(values.count))
    message.add(4, double: values.reduce(0, +))
    message.add(5, double: values.reduce(0) { $0 + $1 * $1 })
    message.add(6, packed: limits)
    message.add(7, packed: counts)
    return message
  }
}
