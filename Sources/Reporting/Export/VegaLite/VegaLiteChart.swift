import Diagnosis
import OrderedCollections
import RunStore
import Spectra
import Weights

/// A chart as a Vega-Lite specification of version 5, which version 6 reads too.
struct VegaLiteChart {
  /// The name of its file without the ending.
  let name: String
  let specification: JSONValue

  /// - Parameters:
  ///   - data: rows by the name under which `view` has them, beside `onsets`.
  ///   - subtitle: what there is to know beside the title; that onsets are dashed is added.
  ///   - view: what is drawn, without title and data.
  init(
    name: String, title: String, subtitle: String, of analysis: Analysis, data: OrderedDictionary<String, JSONValue>,
    view: OrderedDictionary<String, JSONValue>
  ) {
    self.name = name
    var datasets = data
    datasets["onsets"] = .array(
      Self.onsets(analysis.findings).map { step, codes, isAlert in
        ["step": .integer(step), "codes": .string(codes), "color": .string(Self.color(isAlert: isAlert))]
      })
    var object: OrderedDictionary<String, JSONValue> = [
      "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
      "title": ["text": .string(title), "subtitle": .array(Self.lines(subtitle, of: analysis))],
      "background": "white", "datasets": .object(datasets),
    ]
    object.merge(view) { _, own in own }
    object["config"] = Self.configuration
    specification = .object(object)
  }

  private static func lines(_ subtitle: String, of analysis: Analysis) -> [JSONValue] {
    let source = analysis.origin.source.split(separator: "/").last.map(String.init)
    let method = analysis.rows.first?.method
    let run = [source.map { "run \($0)" }, method.map { "method \($0)" }].compactMap(\.self)
    let marks = onsets(analysis.findings).isEmpty ? "" : "dashed: warnings and alerts where they set in"
    return [[subtitle, marks].filter { !$0.isEmpty }.joined(separator: "; "), run.joined(separator: ", ")]
      .filter { !$0.isEmpty }.map(JSONValue.string)
  }

  private static let configuration: JSONValue = [
    "font": "sans-serif",
    "title": ["anchor": "start", "fontSize": 15, "subtitleFontSize": 11.5, "subtitleColor": "#555", "offset": 12],
    "axis": ["labelFontSize": 10.5, "titleFontSize": 11.5, "titleFontWeight": "normal", "gridColor": "#e6e6e6"],
    "header": ["labelFontSize": 11, "labelFontWeight": "bold", "labelLimit": 260],
    "legend": ["labelFontSize": 10.5, "titleFontSize": 11.5, "titleFontWeight": "normal"],
    "view": ["stroke": "#bbb"],
  ]

  // MARK: Parts of charts

  /// Of the palette by Okabe and Ito, whose colours everyone can tell apart: vermilion, orange.
  static func color(isAlert: Bool) -> String { isAlert ? "#D55E00" : "#E69F00" }

  /// The axis of training steps, which are whole numbers.
  static func steps(_ range: ClosedRange<Int>, isLabelled: Bool = true) -> JSONValue {
    // A lone step stands in the middle.
    let margin = range.count == 1 ? 1 : 0
    return [
      "field": "step", "type": "quantitative", "title": isLabelled ? "training step" : .null,
      "scale": ["domain": [.integer(range.lowerBound - margin), .integer(range.upperBound + margin)], "nice": false],
      "axis": ["tickMinStep": 1, "tickCount": 5, "format": "d", "labels": .bool(isLabelled)],
    ]
  }

  /// A line along the steps; with points where those are few enough to be told apart.
  static func line(stepCount: Int, opacity: Double = 0.8) -> JSONValue {
    ["type": "line", "strokeWidth": 1.3, "opacity": .number(opacity), "point": stepCount > 40 ? false : ["size": 10]]
  }

  /// Rules where findings set in, orange for warnings and vermilion for alerts.
  static let onsetRules: JSONValue = [
    "data": ["name": "onsets"],
    "mark": ["type": "rule", "strokeDash": [5, 3], "strokeWidth": 1.2, "opacity": 0.8, "clip": true],
    "encoding": [
      "x": ["field": "step", "type": "quantitative"],
      "color": ["field": "color", "type": "nominal", "scale": .null],
      "tooltip": [
        ["field": "step", "type": "quantitative", "title": "step"],
        ["field": "codes", "type": "nominal", "title": "findings"],
      ],
    ],
  ]

  /// The codes of warnings and alerts by the steps at which they set in: each code's first step.
  static func onsets(_ findings: [Finding]) -> [(step: Int, codes: String, isAlert: Bool)] {
    var first: OrderedDictionary<String, (step: Int, severity: Severity)> = [:]
    for finding in findings where finding.severity > .info {
      guard let step = finding.step, step < first[finding.code]?.step ?? .max else { continue }
      first[finding.code] = (step, finding.severity)
    }
    return Dictionary(grouping: first, by: \.value.step).sorted { $0.key < $1.key }.map { step, found in
      (step, found.map(\.key).sorted().joined(separator: " "), found.contains { $0.value.severity == .alert })
    }
  }
}
