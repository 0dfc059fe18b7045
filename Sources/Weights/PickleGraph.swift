/// What a pickle describes, as plain data: nothing in it is a live object, and nothing was called to make it.
///
/// Containers lie in one array and refer to each other by index. So what a pickle shares is stored once, it may contain
/// itself, and freeing it needs no recursion however deep it is.
struct PickleGraph {
  /// A value; containers by the index of their node.
  enum Value {
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    /// A value that nothing here needs to know: raw bytes, or an integer of more than 64 bits.
    case opaque
    case node(Int)
  }

  enum Node {
    case tuple([Value])
    case list([Value])
    case dictionary([(key: Value, value: Value)])
    /// A name that torch would import, as `module.name`.
    case global(String)
    /// What torch would make by calling `function`, with the state that it would set afterwards.
    case object(function: Value, arguments: Value, state: Value)
    /// What the archive holds outside the pickle: a storage.
    case persistent(Value)
  }

  var nodes: [Node] = []
  var root = Value.none

  /// The most axes of a tensor, and attributes of an object, that are looked at.
  private static let maximumElements = 64
}

extension PickleGraph {
  /// The node of a container; nil for any other value.
  func node(_ value: Value) -> Node? {
    if case .node(let index) = value { nodes[index] } else { nil }
  }

  /// The elements of a tuple or list, or nil for any other value.
  func elements(_ value: Value?) -> [Value]? {
    switch value.flatMap(node) {
    case .tuple(let elements), .list(let elements): elements
    default: nil
    }
  }

  /// The name of a global, or nil for any other value.
  func global(_ value: Value?) -> String? {
    if case .global(let name) = value.flatMap(node) { name } else { nil }
  }

  /// An object with the name of what would make it; nil where that is no global.
  func object(_ value: Value?) -> (function: String, arguments: [Value], state: Value)? {
    guard case .object(let function, let arguments, let state) = value.flatMap(node), let name = global(function) else {
      return nil
    }
    return (name, elements(arguments) ?? [], state)
  }

  /// The entries of a dictionary, or nil for any other value.
  func dictionary(_ value: Value?) -> [(key: Value, value: Value)]? {
    if case .dictionary(let entries) = value.flatMap(node) { entries } else { nil }
  }

  /// What a dictionary has under a name, or a tuple of dictionaries: Python pickles attributes in that form where a
  /// class has slots. Nil for more than a class has, which many objects might share to make this slow.
  func attribute(_ name: String, of state: Value) -> Value? {
    let parts = dictionary(state) == nil ? elements(state)?.prefix(2).map { $0 } ?? [] : [state]
    let entries = parts.lazy.compactMap { dictionary($0) }.filter { $0.count <= Self.maximumElements }.joined()
    return entries.last { $0.key.string == name }?.value
  }

  /// The integers of a tuple or list, or of `torch.Size`; nil where there is anything else in it, or more of them than a
  /// tensor has axes.
  func integers(_ value: Value?) -> [Int]? {
    let inner = object(value).flatMap { $0.function == "torch.Size" ? $0.arguments.first : nil } ?? value
    guard let elements = elements(inner), elements.count <= Self.maximumElements else { return nil }
    let integers = elements.compactMap(\.integer)
    return integers.count == elements.count ? integers : nil
  }
}

extension PickleGraph.Value {
  var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  var integer: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  /// The index of a container; nil for any other value.
  var index: Int? {
    if case .node(let index) = self { index } else { nil }
  }
}
