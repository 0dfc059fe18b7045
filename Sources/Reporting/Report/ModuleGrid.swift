import RunStore

/// Modules laid out by layer and projection, as their names tell: the first number in a name is the layer, the rest of it the projection.
package struct ModuleGrid: Equatable, Sendable {
  /// A row: a layer's number, or nil for modules whose name has none.
  package struct Row: Equatable, Sendable {
    package var layer: Int?
    /// By column, the place of the module among `modules`; nil where there is none.
    package var cells: [Int?]
  }

  /// The names of projections without what they all have in common, such as `q_proj`.
  package let columns: [String]
  package let rows: [Row]

  /// - Parameter modules: in natural order.
  package init(_ modules: [String]) {
    let places = modules.map(Place.init)
    var kinds: [String] = []
    for place in places where !kinds.contains(place.kind) { kinds.append(place.kind) }
    kinds = Self.inOrderOfData(kinds)
    let order = Dictionary(uniqueKeysWithValues: zip(kinds, kinds.indices))
    var cells: [Int: [Int?]] = [:]
    for (index, place) in places.enumerated() {
      cells[place.layer ?? -1, default: Array(repeating: nil, count: kinds.count)][order[place.kind]!] = index
    }
    columns = Self.short(kinds)
    rows = cells.sorted { ($0.key < 0 ? Int.max : $0.key) < ($1.key < 0 ? Int.max : $1.key) }
      .map { Row(layer: $0.key < 0 ? nil : $0.key, cells: $0.value) }
  }

  /// Projections as data passes through them, then those that are not known here, as they are.
  private static func inOrderOfData(_ kinds: [String]) -> [String] {
    func rank(_ kind: String) -> Int {
      let last = kind.split(separator: ".").last.map(String.init) ?? kind
      return known.firstIndex(of: last) ?? known.count
    }
    return kinds.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(\.element)
  }

  private static let known = [
    "q_proj", "k_proj", "v_proj", "qkv_proj", "c_attn", "query_key_value", "o_proj", "gate_proj", "up_proj",
    "gate_up_proj", "down_proj",
  ]

  /// A name taken apart.
  private struct Place {
    var layer: Int?
    /// The name behind the layer's number; the whole name where it has none, or something before it that others may not have.
    var kind: String

    init(_ name: String) {
      let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      guard let index = parts.firstIndex(where: { Int($0) ?? -1 >= 0 }), index + 1 < parts.count else {
        kind = name
        return
      }
      layer = Int(parts[index])
      kind = (parts[..<index] + ["*"] + parts[(index + 1)...]).joined(separator: ".")
    }
  }

  /// The last parts of names, as many as tell them all apart.
  private static func short(_ kinds: [String]) -> [String] {
    let parts = kinds.map { $0.split(separator: ".", omittingEmptySubsequences: false).map(String.init) }
    let longest = parts.map(\.count).max() ?? 1
    for count in 1...max(1, longest) {
      let names = parts.map { $0.suffix(count).joined(separator: ".") }
      if Set(names).count == names.count { return names }
    }
    return kinds
  }
}
