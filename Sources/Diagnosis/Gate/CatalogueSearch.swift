extension Catalogue {
  /// The kinds whose code or name is nearest to a text that is neither, the nearest first.
  ///
  /// Near is what two mistakes, or one in three characters, make of it, or what begins or ends alike.
  package static func kinds(near text: String) -> [any FindingKind.Type] {
    let wanted = Array(text.lowercased().prefix(64))
    guard !wanted.isEmpty else { return [] }
    let ranked = kinds.enumerated().compactMap {
      order, kind -> (distance: Int, order: Int, kind: any FindingKind.Type)? in
      let distances = [kind.page.code.lowercased(), kind.page.name].compactMap { near(wanted, Array($0)) }
      return distances.min().map { ($0, order, kind) }
    }
    return ranked.sorted { ($0.distance, $0.order) < ($1.distance, $1.order) }.prefix(3).map(\.kind)
  }

  /// The distance of two texts where they are near each other.
  private static func near(_ a: [Character], _ b: [Character]) -> Int? {
    let distance = editDistance(a, b)
    if distance <= max(2, min(a.count, b.count) / 3) { return distance }
    let isPart = a.count >= 4 && String(b).contains(String(a))
    return isPart ? distance : nil
  }

  /// Insertions, deletions and replacements that make one text of the other (Levenshtein 1965).
  private static func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var row = Array(0...b.count)
    for (i, character) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, other) in b.enumerated() {
        let replaced = diagonal + (character == other ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[b.count]
  }
}
