/// A value of Thrift's compact protocol, in which Parquet's headers and footer are written.
indirect enum ThriftValue {
  case int16(Int)
  case int32(Int)
  case int64(Int)
  case binary([UInt8])
  /// Elements of one kind.
  case list([ThriftValue])
  /// Fields with their numbers, ascending.
  case structure([(Int, ThriftValue)])

  static func text(_ text: String) -> ThriftValue { .binary([UInt8](text.utf8)) }

  /// The bytes of the value.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return bytes
  }

  private func append(to bytes: inout [UInt8]) {
    switch self {
    case .int16(let value), .int32(let value), .int64(let value): Self.append(zigzag: value, to: &bytes)
    case .binary(let content):
      Self.append(varint: UInt64(content.count), to: &bytes)
      bytes += content
    case .list(let elements):
      let type = elements.first?.type ?? Self.structureType
      if elements.count < 15 {
        bytes.append(UInt8(elements.count) << 4 | type)
      } else {
        bytes.append(0xF0 | type)
        Self.append(varint: UInt64(elements.count), to: &bytes)
      }
      for element in elements { element.append(to: &bytes) }
    case .structure(let fields):
      var last = 0
      for (number, value) in fields {
        // Parquet has no gap between numbers that four bits do not hold.
        precondition((1...15).contains(number - last), "field \(number) cannot follow \(last)")
        bytes.append(UInt8(number - last) << 4 | value.type)
        value.append(to: &bytes)
        last = number
      }
      bytes.append(0)
    }
  }

  private static let structureType: UInt8 = 12

  private var type: UInt8 {
    switch self {
    case .int16: 4
    case .int32: 5
    case .int64: 6
    case .binary: 8
    case .list: 9
    case .structure: Self.structureType
    }
  }

  /// Small magnitudes become small numbers, whatever the sign.
  private static func append(zigzag value: Int, to bytes: inout [UInt8]) {
    let value = Int64(value)
    append(varint: UInt64(bitPattern: value << 1 ^ value >> 63), to: &bytes)
  }

  /// Appends a number of variable length: seven bits a byte, the least first.
  static func append(varint value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
