import OrderedCollections
import Weights

/// The codes of findings over the steps at which they set in, in as many lines as keep them apart.
struct OnsetLabels {
  private static let lineHeight = 13
  /// Generous for the font, which the reader's program chooses.
  private static let characterWidth = 6.5

  /// The texts with their places.
  let rows: JSONValue
  private let lineCount: Int
  private let width: Int
  private let range: ClosedRange<Int>

  /// - Parameter width: of the axis of steps, in pixels.
  init(_ onsets: [(step: Int, codes: String, isAlert: Bool)], over range: ClosedRange<Int>, width: Int) {
    (self.range, self.width) = (range, width)
    let scale = Double(width) / Double(max(1, range.upperBound - range.lowerBound))
    var placed: [(start: Double, line: Int)] = []
    // From the right: a text stands above those that begin beneath it, so that no rule runs through it.
    let rows = onsets.filter { range.contains($0.step) }.reversed().map { step, codes, isAlert -> JSONValue in
      let (place, length) = (Double(step - range.lowerBound) * scale, Self.characterWidth * Double(codes.count + 1))
      // To the left of the step where there is no room on its right.
      let isLeft = place + length > Double(width)
      let (start, end) = isLeft ? (place - length, place) : (place, place + length)
      let line = (placed.filter { $0.start < end }.map(\.line).max() ?? -1) + 1
      placed.append((start, line))
      return [
        "step": .integer(step), "codes": .string(codes), "line": .integer(line), "left": .bool(isLeft),
        "color": .string(VegaLiteChart.color(isAlert: isAlert)),
      ]
    }
    self.rows = .array(rows)
    lineCount = (placed.map(\.line).max() ?? -1) + 1
  }

  var isEmpty: Bool { lineCount == 0 }

  /// The lines of texts, the first at the bottom, where the dashes begin that they name.
  var view: JSONValue {
    [
      "width": .integer(width), "height": .integer(lineCount * Self.lineHeight), "view": ["stroke": .null],
      "data": ["name": "labels"], "layer": [rules, texts(onTheLeft: true), texts(onTheLeft: false)],
    ]
  }

  private var x: JSONValue {
    guard case .object(var axis) = VegaLiteChart.steps(range) else { return .null }
    axis["axis"] = .null
    return .object(axis)
  }

  private var y: OrderedDictionary<String, JSONValue> {
    [
      "field": "line", "type": "quantitative", "axis": .null,
      "scale": ["domain": [0, .integer(lineCount)], "nice": false],
    ]
  }

  private var color: JSONValue { ["field": "color", "type": "nominal", "scale": .null] }

  private var rules: JSONValue {
    [
      "mark": ["type": "rule", "strokeWidth": 0.8],
      "encoding": ["x": x, "y": .object(y), "y2": ["datum": 0], "color": color],
    ]
  }

  private func texts(onTheLeft isLeft: Bool) -> JSONValue {
    [
      "transform": [["filter": ["field": "left", "equal": .bool(isLeft)]]],
      "mark": [
        "type": "text", "align": isLeft ? "right" : "left", "baseline": "bottom", "dx": isLeft ? -3 : 3, "dy": -1,
        "fontSize": 10,
      ],
      "encoding": ["x": x, "y": .object(y), "text": ["field": "codes", "type": "nominal"], "color": color],
    ]
  }
}
