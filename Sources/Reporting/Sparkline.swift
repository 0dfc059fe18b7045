/// A curve in one line of text.
enum Sparkline {
  private static let signs = Array("▁▂▃▄▅▆▇█")

  /// - Parameters:
  ///   - count: how many values, by their mean, make one sign.
  ///   - range: what the lowest and the highest sign stand for.
  static func text(of values: [Double], each count: Int = 2, in range: ClosedRange<Double> = 0...1) -> String {
    let height = range.upperBound - range.lowerBound
    return String(
      stride(from: 0, to: values.count, by: count).map { index in
        let part = values[index..<min(index + count, values.count)]
        let mean = part.reduce(0, +) / Double(part.count)
        let share = height > 0 ? (mean - range.lowerBound) / height : 0.5
        return signs[min(signs.count - 1, max(0, Int(share * Double(signs.count))))]
      })
  }
}
