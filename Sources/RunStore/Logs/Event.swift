/// What TensorBoard's message `Event` says, as far as it is about numbers of steps. Fields that are not known here are passed over.
struct Event {
  /// In seconds since 1970.
  private(set) var wallTime = 0.0
  private(set) var step = 0
  /// Scalars by tag, in the order of the message.
  private(set) var scalars: [(tag: String, value: Double)] = []
  /// True where a program has begun again at `step`: what was logged from there on counts no more.
  private(set) var isRestart = false

  /// Parses the message; throws where it is broken, or says numbers of a step below 0.
  init(_ message: ArraySlice<UInt8>) throws(RecordError) {
    for (number, value) in try ProtobufFields.all(of: message) {
      switch (number, value) {
      case (1, .fixed64(let bits)): wallTime = Double(bitPattern: bits)
      case (2, .varint(let bits)): step = Int(Int64(bitPattern: bits))
      case (5, .bytes(let summary)): try addScalars(of: summary)
      case (7, .bytes(let session)): isRestart = try Self.isStart(session)
      default: continue
      }
    }
    guard step >= 0 || scalars.isEmpty && !isRestart else {
      throw RecordError(problem: "expected step to be a whole number, found \(step)")
    }
  }

  /// Adds the scalars of a `Summary`.
  private mutating func addScalars(of summary: ArraySlice<UInt8>) throws(RecordError) {
    for case (1, .bytes(let entry)) in try ProtobufFields.all(of: summary) {
      var tag: String?
      var found: Double?
      for (number, value) in try ProtobufFields.all(of: entry) {
        switch (number, value) {
        case (1, .bytes(let text)): tag = String(validating: text, as: UTF8.self)
        case (2, .fixed32(let bits)): found = Double(Float(bitPattern: bits))
        case (8, .bytes(let tensor)): found = try ScalarTensor(tensor).value
        default: continue
        }
      }
      guard let found else { continue }
      guard let tag else { throw RecordError(problem: "expected a tag in UTF-8 for a scalar, found none") }
      scalars.append((tag, found))
    }
  }

  /// Whether a `SessionLog` says START.
  private static func isStart(_ session: ArraySlice<UInt8>) throws(RecordError) -> Bool {
    for case (1, .varint(1)) in try ProtobufFields.all(of: session) { return true }
    return false
  }
}

/// A `TensorProto` that holds one floating-point number.
struct ScalarTensor {
  /// Nil where the tensor is of another type, or holds several numbers.
  let value: Double?

  init(_ tensor: ArraySlice<UInt8>) throws(RecordError) {
    var type: UInt64 = 0
    var count: UInt64 = 1
    var content: ArraySlice<UInt8> = []
    for (number, value) in try ProtobufFields.all(of: tensor) {
      switch (number, value) {
      case (1, .varint(let found)): type = found
      case (2, .bytes(let shape)): count = try Self.count(of: shape)
      // The elements as bytes, or in the packed list of their type; a list that is not packed has one field an element.
      case (4, .bytes(let bytes)), (5, .bytes(let bytes)), (6, .bytes(let bytes)): content += bytes
      case (5, .fixed32(let bits)): content += withUnsafeBytes(of: bits.littleEndian, Array.init)
      case (6, .fixed64(let bits)): content += withUnsafeBytes(of: bits.littleEndian, Array.init)
      default: continue
      }
    }
    guard let size = [1: 4, 2: 8][type], count == 1 else {
      value = nil
      return
    }
    // Protocol buffers leave out what is zero.
    guard content.isEmpty || content.count == size else {
      throw RecordError(problem: "expected a scalar of \(size) bytes, found \(content.count)")
    }
    let bits = content.littleEndian
    value = size == 4 ? Double(Float(bitPattern: UInt32(bits))) : Double(bitPattern: bits)
  }

  /// The number of elements of a `TensorShapeProto`; 0 where an extent is unknown or they are too many to count.
  private static func count(of shape: ArraySlice<UInt8>) throws(RecordError) -> UInt64 {
    var count: UInt64 = 1
    for case (2, .bytes(let dimension)) in try ProtobufFields.all(of: shape) {
      var size: UInt64 = 0
      for case (1, .varint(let extent)) in try ProtobufFields.all(of: dimension) { size = extent }
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      count = overflow ? 0 : product
    }
    return count
  }
}
