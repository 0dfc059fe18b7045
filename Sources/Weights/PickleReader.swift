/// Reads a pickle into plain data without running anything.
///
/// Of the pickle machine's instructions those are understood that `torch.save` writes (protocols 2 to 5). An instruction
/// that would import a name is taken for a name that `PickleGlobals` allows, and refused for any other; one that would
/// call something is recorded with what it would call. The work is linear in the length of the pickle.
struct PickleReader {
  private typealias Value = PickleGraph.Value

  /// More than any model needs: about 60 000 tensors of a sharded checkpoint.
  static let maximumLength = 1 << 26
  /// Bounds the memory; a node takes some hundred bytes.
  private static let maximumNodes = 1 << 22
  private static let maximumNameLength = 512

  private let bytes: [UInt8]
  private let path: String
  private var offset = 0
  private var graph = PickleGraph()
  private var stack: [PickleGraph.Value] = []
  /// The heights of the stack at the marks that are open.
  private var marks: [Int] = []
  private var memo: [Int: PickleGraph.Value] = [:]

  private init(_ bytes: [UInt8], path: String) {
    self.bytes = bytes
    self.path = path
  }

  /// What the pickle describes; throws `.badContent` where it is broken, too large, or asks for more than data.
  static func graph(of bytes: [UInt8], path: String) throws(FileError) -> PickleGraph {
    var reader = PickleReader(bytes, path: path)
    guard try reader.byte() == 0x80, (2...5).contains(try reader.byte()) else {
      throw reader.failure("expected a pickle of protocol 2 to 5, found other bytes")
    }
    while try reader.step() {}
    reader.graph.root = try reader.pop()
    return reader.graph
  }

  /// Takes one instruction; false at the last.
  private mutating func step() throws(FileError) -> Bool {
    let start = offset
    guard let instruction = Instruction(rawValue: try byte()) else { throw unknown(bytes[start]) }
    switch instruction {
    case .stop: return false
    case .frame: _ = try take(8)
    case .none, .true, .false, .int1, .int2, .int4, .long1, .long4, .float: push(try number(instruction))
    case .string1, .string4, .string8, .bytes1, .bytes4, .bytes8, .byteArray8: push(try text(instruction))
    case .put1, .put4, .memoize, .get1, .get4: try useMemo(instruction)
    case .mark, .pop, .popMark: try moveStack(instruction)
    case .emptyTuple, .tuple, .tuple1, .tuple2, .tuple3, .emptyList, .emptyDictionary: try build(instruction)
    case .append, .appends, .setItem, .setItems: try fill(instruction)
    case .global, .stackGlobal, .instance: try name(instruction)
    case .reduce, .newObject, .build, .persistentID: try makeObject(instruction)
    }
    guard graph.nodes.count <= Self.maximumNodes, memo.count <= Self.maximumNodes, stack.count <= Self.maximumNodes
    else { throw failure("expected at most \(Self.maximumNodes) objects, found more") }
    return true
  }

  private func unknown(_ code: UInt8) -> FileError {
    failure("expected instructions that torch.save writes, found 0x\(String(code, radix: 16)) at byte \(offset - 1)")
  }

  private func failure(_ problem: String) -> FileError {
    FileError(
      .badContent, path: path, object: "data.pkl", problem,
      remedy: "Copy or download it again, or save the tensors alone as a safetensors file")
  }
}

/// The instructions of the pickle machine that `torch.save` writes, and `INST`, which imports a name.
private enum Instruction: UInt8 {
  case mark = 0x28
  case stop = 0x2E
  case pop = 0x30
  case popMark = 0x31
  case none = 0x4E
  case int4 = 0x4A
  case int1 = 0x4B
  case int2 = 0x4D
  case float = 0x47
  case long1 = 0x8A
  case long4 = 0x8B
  case `true` = 0x88
  case `false` = 0x89
  case string4 = 0x58
  case string1 = 0x8C
  case string8 = 0x8D
  case bytes4 = 0x42
  case bytes1 = 0x43
  case bytes8 = 0x8E
  case byteArray8 = 0x96
  case emptyTuple = 0x29
  case tuple = 0x74
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case emptyList = 0x5D
  case emptyDictionary = 0x7D
  case append = 0x61
  case appends = 0x65
  case setItem = 0x73
  case setItems = 0x75
  case global = 0x63
  case stackGlobal = 0x93
  case instance = 0x69
  case put1 = 0x71
  case put4 = 0x72
  case get1 = 0x68
  case get4 = 0x6A
  case memoize = 0x94
  case reduce = 0x52
  case newObject = 0x81
  case build = 0x62
  case persistentID = 0x51
  case frame = 0x95
}

// MARK: - Bytes and stack

extension PickleReader {
  private mutating func byte() throws(FileError) -> UInt8 {
    guard offset < bytes.count else { throw failure("expected a complete pickle, found it cut off") }
    offset += 1
    return bytes[offset - 1]
  }

  private mutating func take(_ count: Int) throws(FileError) -> ArraySlice<UInt8> {
    guard count <= bytes.count - offset else { throw failure("expected a complete pickle, found it cut off") }
    offset += count
    return bytes[offset - count..<offset]
  }

  /// An unsigned little-endian number of up to eight bytes.
  private mutating func length(_ size: Int) throws(FileError) -> Int {
    let number = try take(size).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return Int(exactly: number) ?? .max
  }

  private mutating func push(_ value: Value) { stack.append(value) }

  private mutating func push(_ node: PickleGraph.Node) {
    stack.append(.node(graph.nodes.count))
    graph.nodes.append(node)
  }

  private mutating func pop() throws(FileError) -> Value {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw underflow }
    return value
  }

  private mutating func popToMark() throws(FileError) -> [Value] {
    guard let mark = marks.popLast() else { throw underflow }
    defer { stack.removeLast(stack.count - mark) }
    return [Value](stack[mark...])
  }

  private func top() throws(FileError) -> Value {
    guard stack.count > marks.last ?? 0, let value = stack.last else { throw underflow }
    return value
  }

  private var underflow: FileError { failure("expected a value in front of byte \(offset), found none") }
}

// MARK: - Values

extension PickleReader {
  private mutating func number(_ instruction: Instruction) throws(FileError) -> Value {
    switch instruction {
    case .true: return .bool(true)
    case .false: return .bool(false)
    case .int1: return .integer(try length(1))
    case .int2: return .integer(try length(2))
    case .int4: return .integer(Int(Int32(truncatingIfNeeded: try length(4))))
    case .long1: return Self.integer(try take(try length(1)))
    case .long4: return Self.integer(try take(try length(4)))
    case .float:
      return .number(Double(bitPattern: try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }))
    default: return .none
    }
  }

  /// An integer in two's complement, its lowest byte first.
  private static func integer(_ bytes: ArraySlice<UInt8>) -> Value {
    guard bytes.count <= 8 else { return .opaque }
    let start: Int = bytes.last.map { $0 >= 0x80 } == true ? -1 : 0
    return .integer(bytes.reversed().reduce(start) { $0 << 8 | Int($1) })
  }

  private mutating func text(_ instruction: Instruction) throws(FileError) -> Value {
    switch instruction {
    case .string1: return .string(try string(try length(1)))
    case .string4: return .string(try string(try length(4)))
    case .string8: return .string(try string(try length(8)))
    case .bytes1: _ = try take(try length(1))
    case .bytes4: _ = try take(try length(4))
    default: _ = try take(try length(8))
    }
    return .opaque
  }

  private mutating func string(_ length: Int) throws(FileError) -> String {
    guard let text = String(validating: try take(length), as: UTF8.self) else {
      throw failure("expected text in UTF-8, found bytes that are not in front of byte \(offset)")
    }
    return text
  }

  private mutating func useMemo(_ instruction: Instruction) throws(FileError) {
    switch instruction {
    case .put1: memo[try length(1)] = try top()
    case .put4: memo[try length(4)] = try top()
    case .memoize: memo[memo.count] = try top()
    default:
      let index = try length(instruction == .get1 ? 1 : 4)
      guard let value = memo[index] else { throw failure("expected a value stored as number \(index), found none") }
      push(value)
    }
  }

  private mutating func moveStack(_ instruction: Instruction) throws(FileError) {
    switch instruction {
    case .mark: marks.append(stack.count)
    case .pop where stack.count == marks.last: marks.removeLast()
    case .pop: _ = try pop()
    default: _ = try popToMark()
    }
    guard marks.count <= Self.maximumNodes else { throw failure("expected fewer open marks, found \(marks.count)") }
  }
}

// MARK: - Containers

extension PickleReader {
  private mutating func build(_ instruction: Instruction) throws(FileError) {
    switch instruction {
    case .emptyList: push(.list([]))
    case .emptyDictionary: push(.dictionary([]))
    case .emptyTuple: push(.tuple([]))
    case .tuple: push(.tuple(try popToMark()))
    default:
      let count = instruction == .tuple1 ? 1 : instruction == .tuple2 ? 2 : 3
      var elements: [Value] = []
      for _ in 0..<count { elements.append(try pop()) }
      push(.tuple(elements.reversed()))
    }
  }

  private mutating func fill(_ instruction: Instruction) throws(FileError) {
    var values: [Value]
    switch instruction {
    case .append: values = [try pop()]
    case .setItem: values = [try pop(), try pop()].reversed()
    default: values = try popToMark()
    }
    let isList = instruction == .append || instruction == .appends
    guard let index = try top().index, isList || values.count.isMultiple(of: 2) else { throw misplaced }
    switch graph.nodes[index] {
    case .list(var elements) where isList:
      // Given up while it grows, so that it is not copied.
      graph.nodes[index] = .list([])
      elements += values
      graph.nodes[index] = .list(elements)
    case .dictionary(var entries) where !isList:
      graph.nodes[index] = .dictionary([])
      for position in stride(from: 0, to: values.count, by: 2) {
        entries.append((values[position], values[position + 1]))
      }
      graph.nodes[index] = .dictionary(entries)
    default: throw misplaced
    }
  }

  private var misplaced: FileError {
    failure("expected a list or dictionary in front of byte \(offset), found another value")
  }
}

// MARK: - Names and objects

extension PickleReader {
  private mutating func name(_ instruction: Instruction) throws(FileError) {
    let (module, name): (String, String)
    if instruction == .stackGlobal {
      let (last, first) = (try pop(), try pop())
      guard let text = last.string, let prefix = first.string else { throw failure("expected a name, found no text") }
      (module, name) = (prefix, text)
    } else {
      (module, name) = (try line(), try line())
    }
    let full = module + "." + name
    guard instruction != .instance, PickleGlobals.allows(full) else { throw refusal(of: full) }
    push(.global(full))
  }

  private mutating func line() throws(FileError) -> String {
    let rest = bytes[offset...].prefix(Self.maximumNameLength)
    guard let end = rest.firstIndex(of: 0x0A) else { throw failure("expected the end of a name, found none") }
    let text = try string(end - offset)
    offset += 1
    return text
  }

  private func refusal(of name: String) -> FileError {
    let quoted = FileError.quoted(name)
    return FileError(
      .badContent, path: path, object: "global " + quoted,
      "expected tensors only, found \(quoted.dropFirst().dropLast())",
      remedy: "Nothing of it was run; torch.load might run it, so save the tensors alone where you trust the file")
  }

  private mutating func makeObject(_ instruction: Instruction) throws(FileError) {
    let argument = try pop()
    switch instruction {
    case .persistentID: push(.persistent(argument))
    case .build:
      guard let index = try top().index else { throw misplaced }
      // The attributes of a dictionary, such as the versions of a model's parts, say nothing about the tensors.
      if case .object(let function, let arguments, _) = graph.nodes[index] {
        graph.nodes[index] = .object(function: function, arguments: arguments, state: argument)
      }
    default:
      let function = try pop()
      let name = graph.global(function)
      guard let arguments = graph.elements(argument), name != nil || graph.object(function) != nil else {
        throw failure("expected a name to make an object with in front of byte \(offset), found another value")
      }
      if let name, PickleGlobals.getAttribute.contains(name) { try check(attribute: arguments, name) }
      let isDictionary = name == PickleGlobals.orderedDictionary
      push(isDictionary ? .dictionary([]) : .object(function: function, arguments: argument, state: .none))
    }
  }

  private func check(attribute arguments: [Value], _ name: String) throws(FileError) {
    let isKnown =
      arguments.count == 2 && graph.global(arguments[0]) == PickleGlobals.attribute.owner
      && arguments[1].string == PickleGlobals.attribute.name
    guard isKnown else { throw refusal(of: name) }
  }
}
