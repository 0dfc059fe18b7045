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
    let order = Dictionary(uniqueKeysWithValues: zip(kinds, kinds.indices))
    var cells: [Int: [Int?]] = [:]
    for (index, place) in places.enumerated() {
      cells[place.layer ?? -1, default: Array(repeating: nil, count: kinds.count)][order[place.kind]!] = index
    }
    columns = Self.short(kinds)
    rows = cells.sorted { ($0.key < 0 ? Int.max : $0.key) < ($1.key < 0 ? Int.max : $1.key) }
      .map { Row(layer: $0.key < 0 ? nil : $0.key, cells: $0.value) }
  }

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
