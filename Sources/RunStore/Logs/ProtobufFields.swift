/// The fields of one message of protocol buffers, as far as the wire format tells: what is inside of bytes is for the reader to know.
struct ProtobufFields: Sequence, IteratorProtocol {
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(ArraySlice<UInt8>)
    case fixed32(UInt32)
  }

  private var rest: ArraySlice<UInt8>
  /// What is wrong with the message; then there are no more fields.
  private(set) var problem: String?

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The next field; nil at the end of the message, and where it is broken.
  mutating func next() -> (number: UInt64, value: Value)? {
    guard problem == nil, !rest.isEmpty, let key = varint() else { return nil }
    guard let value = value(ofType: key & 7), key >> 3 > 0 else {
      problem = problem ?? "expected a field of protocol buffers, found key \(key)"
      return nil
    }
    return (key >> 3, value)
  }

  /// All fields in their order; throws where the message is broken.
  static func all(of bytes: ArraySlice<UInt8>) throws(RecordError) -> [(number: UInt64, value: Value)] {
    var fields = ProtobufFields(bytes)
    var found: [(number: UInt64, value: Value)] = []
    while let field = fields.next() { found.append(field) }
    if let problem = fields.problem { throw RecordError(problem: problem) }
    return found
  }

  private mutating func value(ofType type: UInt64) -> Value? {
    switch type {
    case 0: varint().map(Value.varint)
    case 1: take(8).map { .fixed64($0.littleEndian) }
    case 2: varint().flatMap { take($0) }.map(Value.bytes)
    case 5: take(4).map { .fixed32(UInt32($0.littleEndian)) }
    default: nil
    }
  }

  private mutating func take(_ count: UInt64) -> ArraySlice<UInt8>? {
    guard count <= UInt64(rest.count) else {
      problem = "expected a field of \(count) bytes, found \(rest.count) left"
      return nil
    }
    defer { rest = rest.dropFirst(Int(count)) }
    return rest.prefix(Int(count))
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { break }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    problem = "expected a number of at most ten bytes, found one that does not end"
    return nil
  }
}
