import Diagnosis
import OrderedCollections
import RunStore
import Weights

/// The behaviour of a run over its steps, a panel a column, with the onsets of its findings.
enum TrainingChart {
  private struct Panel {
    var column: String
    var title: String
    var color: JSONValue
  }

  /// Colours of the palette by Okabe and Ito.
  private static let panels = [
    Panel(column: "reward", title: "reward", color: "#0072B2"),
    Panel(column: "accuracy", title: "held-out accuracy", color: "#009E73"),
    Panel(column: "kl", title: "KL from base (nats)", color: "#CC79A7"),
    Panel(column: "entropy", title: "entropy (nats)", color: "#56B4E9"),
    Panel(column: "loss", title: "loss", color: "#000000"),
  ]

  private static let width = 640

  /// Nil where none of the columns has a number.
  static func chart(of training: TrainingRecords, in analysis: Analysis) -> VegaLiteChart? {
    let records = training.records
    let shown = panels.filter { panel in records.contains { $0.values[panel.column].flatMap(\.self) != nil } }
    guard !shown.isEmpty else { return nil }
    let rows = records.map { record -> JSONValue in
      .object(
        shown.reduce(into: ["step": .integer(record.step)]) { row, panel in
          // Missing members break no line: a panel leaves their rows out.
          if let value = record.values[panel.column].flatMap(\.self) { row[panel.column] = .number(value) }
        })
    }
    let range = records.first!.step...records.last!.step
    let labels = OnsetLabels(VegaLiteChart.onsets(analysis.findings), over: range, width: width)
    return VegaLiteChart(
      name: "training", title: "What training recorded", subtitle: "",
      of: analysis, data: ["training": .array(rows), "labels": labels.rows],
      view: [
        "vconcat": .array(
          (labels.isEmpty ? [] : [labels.view])
            + shown.enumerated().map { view(of: $1, over: range, isLast: $0 == shown.count - 1) }),
        "spacing": 6, "resolve": ["scale": ["x": "shared"]],
      ])
  }

  private static func view(of panel: Panel, over range: ClosedRange<Int>, isLast: Bool) -> JSONValue {
    let field = JSONValue.string(panel.column)
    let line: JSONValue = [
      "data": ["name": "training"], "transform": [["filter": ["field": field, "valid": true]]],
      "mark": ["type": "line", "strokeWidth": 1.6, "color": panel.color],
      "encoding": [
        "x": VegaLiteChart.steps(range, isLabelled: isLast),
        "y": [
          "field": field, "type": "quantitative", "title": .string(panel.title), "scale": ["zero": false],
          "axis": ["tickCount": 4],
        ],
        "tooltip": [
          ["field": "step", "type": "quantitative"], ["field": field, "type": "quantitative", "format": ".4g"],
        ],
      ],
    ]
    return ["width": .integer(width), "height": 96, "layer": [line, VegaLiteChart.onsetRules]]
  }
}
