import Weights

/// A message of protocol buffers in the making: the counterpart of `ProtobufFields`.
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ number: Int, varint value: Int) {
    add(key: number, type: 0)
    append(varint: UInt64(bitPattern: Int64(value)))
  }

  mutating func add(_ number: Int, double value: Double) {
    add(key: number, type: 1)
    bytes.append(littleEndian: value.bitPattern)
  }

  mutating func add(_ number: Int, float value: Float) {
    add(key: number, type: 5)
    bytes.append(littleEndian: value.bitPattern)
  }

  mutating func add(_ number: Int, bytes value: [UInt8]) {
    add(key: number, type: 2)
    append(varint: UInt64(value.count))
    bytes += value
  }

  mutating func add(_ number: Int, text: String) { add(number, bytes: [UInt8](text.utf8)) }

  mutating func add(_ number: Int, message: ProtobufMessage) { add(number, bytes: message.bytes) }

  mutating func add(_ number: Int, packed values: [Double]) {
    var content: [UInt8] = []
    content.append(littleEndian: values)
    add(number, bytes: content)
  }

  private mutating func add(key number: Int, type: UInt64) { append(varint: UInt64(number) << 3 | type) }

  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
