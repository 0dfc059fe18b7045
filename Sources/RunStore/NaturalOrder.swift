/// The order in which people count: numbers inside a name by value, so that `layers.2` comes before `layers.10`.
package enum NaturalOrder {
  /// Whether `a` comes before `b`: a strict total order over the names' bytes, the same on every machine.
  package static func precedes(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    var (i, j) = (0, 0)
    while i < a.count, j < b.count {
      if isDigit(a[i]), isDigit(b[j]) {
        let (x, y) = (number(in: a, from: &i), number(in: b, from: &j))
        if x.count != y.count { return x.count < y.count }
        if x != y { return x.lexicographicallyPrecedes(y) }
      } else {
        if a[i] != b[j] { return a[i] < b[j] }
        (i, j) = (i + 1, j + 1)
      }
    }
    // Equal but for the end, or for leading zeros.
    if i < a.count || j < b.count { return j < b.count }
    return a.lexicographicallyPrecedes(b)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// The digits at `position` without leading zeros; moves behind them. Any length: names are not ours to limit.
  private static func number(in bytes: [UInt8], from position: inout Int) -> ArraySlice<UInt8> {
    let end = bytes[position...].firstIndex { !isDigit($0) } ?? bytes.endIndex
    defer { position = end }
    return bytes[position..<end].drop { $0 == UInt8(ascii: "0") }
  }
}
