import OrderedCollections
import RunStore
import Spectra
import Weights

/// The charts of an update's spectrum and of where it lies, over the steps.
struct SpectrumCharts {
  /// A panel a module: more than fit a page help nobody.
  private static let mostPanels = 12
  /// Lines of modules, which share panels.
  private static let mostLines = 600
  /// Singular values that are drawn one and all.
  private static let mostSuccessive = 32

  private typealias Row = OrderedDictionary<String, JSONValue>

  private let analysis: Analysis
  private let stepCount: Int
  /// The range of steps that every chart shows.
  private let steps: JSONValue
  /// What training did; or what separates the model from the pretrained one, where the start is not known.
  private let rows: [SpectrumRow]
  private let reference: String

  init(_ analysis: Analysis) {
    self.analysis = analysis
    let steps = Set(analysis.rows.map(\.step))
    stepCount = steps.count
    self.steps = VegaLiteChart.steps((steps.min() ?? 0)...(steps.max() ?? 0))
    let initial = analysis.rows.filter { $0.delta == .initial }
    rows = initial.isEmpty ? analysis.rows.filter { $0.delta == .pretrained } : initial
    reference = initial.isEmpty ? "pretraining" : "initialisation"
  }

  // MARK: Charts

  /// The singular values of the update, a panel a module.
  var singularValues: VegaLiteChart? {
    let modules = ModulePlace.selected(Self.mostPanels, of: analysis)
    let data = rows.filter { modules.contains($0.module) }.flatMap { row in
      let values = row.significantValues
      return Self.shownIndices(of: values.count).map { index -> JSONValue in
        [
          "step": .integer(row.step), "module": .string(row.module), "index": .integer(index),
          "value": .number(values[index]),
        ]
      }
    }
    guard !data.isEmpty else { return nil }
    let count = Set(analysis.rows.map(\.module)).count
    let choice =
      count > modules.count
      ? "the \(modules.count) of \(count) modules that findings name or that moved furthest" : "all modules"
    return VegaLiteChart(
      name: "singular_values", title: "Singular values of ΔW since \(reference)",
      subtitle: choice, of: analysis,
      data: ["values": .array(data)],
      view: Self.facets(
        of: "values", by: ["facet": Self.header("module", modules), "columns": 3, "resolve": Self.axes], width: 240,
        height: 130,
        [
          [
            "mark": VegaLiteChart.line(stepCount: stepCount),
            "encoding": [
              "x": steps,
              "y": Self.logarithmic("value", title: "singular value"),
              "color": Self.sequence("index", title: "index", of: data), "detail": ["field": "index"],
              "tooltip": Self.tooltip(["module", "step", "index"], "value"),
            ],
          ]
        ]))
  }

  /// All of a factored update's values; of the many of a dense one the first, and then ever fewer.
  private static func shownIndices(of count: Int) -> [Int] {
    var (indices, next) = ([Int](), 0)
    while next < count {
      indices.append(next)
      next = max(next + 1, next < mostSuccessive ? 0 : next * 5 / 4)
    }
    return indices
  }

  /// The effective rank of the update, a panel a projection and a line a module.
  var effectiveRank: VegaLiteChart? {
    lines(
      of: .effectiveRank, rows, name: "effective_rank", title: "Effective rank of ΔW since \(reference)",
      axis: [
        "field": "value", "type": "quantitative", "title": "effective rank", "scale": ["zero": false],
        "axis": ["tickCount": 5],
      ])
  }

  /// How far the steps between checkpoints move each weight.
  var velocity: VegaLiteChart? {
    lines(
      of: .updateVelocity, analysis.rows.filter { $0.delta == .previous && $0.finite(.updateVelocity) ?? 0 > 0 },
      name: "velocity", title: "Velocity of the weights between checkpoints",
      axis: Self.logarithmic("value", title: "relative change per step"))
  }

  /// The update's energy in W₀'s first k directions beside what chance gives, a column a projection and a row a side.
  var energy: VegaLiteChart? {
    let modules = Set(ModulePlace.selected(Self.mostLines, of: analysis))
    let data = rows.filter { modules.contains($0.module) }.flatMap { row -> [JSONValue] in
      [
        ("output side", Metric.leftEnergyTop, Metric.leftNullTop), ("input side", .rightEnergyTop, .rightNullTop),
      ].compactMap { side, share, chance in
        guard let share = row.finite(share), let chance = row.finite(chance), share > 0, chance > 0 else {
          return nil
        }
        var object = Self.place(of: row)
        object["side"] = .string(side)
        object["share"] = .number(share)
        object["chance"] = .number(chance)
        return .object(object)
      }
    }
    guard !data.isEmpty else { return nil }
    let chance: JSONValue = [
      "mark": ["type": "line", "color": "black", "strokeDash": [2, 2], "strokeWidth": 1.4],
      "encoding": [
        "x": steps, "y": ["field": "chance", "type": "quantitative", "aggregate": "mean"],
      ],
    ]
    return VegaLiteChart(
      name: "energy", title: "Energy of ΔW in the base's first k singular directions",
      subtitle: "dotted black: what chance gives", of: analysis,
      data: ["values": .array(data)],
      view: Self.facets(
        of: "values",
        by: ["facet": ["row": Self.header("side", ["output side", "input side"]), "column": projections]],
        width: 150, height: 140,
        [
          moduleLines(of: data, y: Self.logarithmic("share", title: "share of the energy"), value: "share"), chance,
        ]))
  }

  // MARK: Parts

  private func lines(
    of metric: Metric, _ rows: [SpectrumRow], name: String, title: String, axis: JSONValue
  ) -> VegaLiteChart? {
    let modules = Set(ModulePlace.selected(Self.mostLines, of: analysis))
    let data = rows.compactMap { row -> JSONValue? in
      guard modules.contains(row.module), let value = row.finite(metric) else { return nil }
      var object = Self.place(of: row)
      object["value"] = .number(value)
      return .object(object)
    }
    guard !data.isEmpty else { return nil }
    return VegaLiteChart(
      name: name, title: title, subtitle: "a line a module",
      of: analysis, data: ["values": .array(data)],
      view: Self.facets(
        of: "values", by: ["facet": projections, "columns": 4, "resolve": Self.axes], width: 190, height: 140,
        [moduleLines(of: data, y: axis, value: "value")]))
  }

  /// A line a module, coloured by its layer.
  private func moduleLines(of data: [JSONValue], y: JSONValue, value: String) -> JSONValue {
    [
      "mark": VegaLiteChart.line(stepCount: stepCount, opacity: 0.75),
      "encoding": [
        "x": steps, "y": y, "color": Self.sequence("layer", title: "layer", of: data),
        "detail": ["field": "module"], "tooltip": Self.tooltip(["module", "step"], value),
      ],
    ]
  }

  /// Small multiples of `layers` with the onsets over them.
  private static func facets(
    of data: String, by facet: Row, width: Int, height: Int, _ layers: [JSONValue]
  ) -> Row {
    var view: Row = ["data": ["name": .string(data)]]
    view.merge(facet) { _, own in own }
    view["spec"] = [
      "width": .integer(width), "height": .integer(height), "layer": .array(layers + [VegaLiteChart.onsetRules]),
    ]
    return view
  }

  private static func place(of row: SpectrumRow) -> Row {
    let place = ModulePlace(row.module)
    return [
      "step": .integer(row.step), "module": .string(row.module), "projection": .string(place.projection),
      "layer": .integer(place.layer ?? 0),
    ]
  }

  private static func header(_ field: String, _ order: [String]) -> JSONValue {
    ["field": .string(field), "type": "nominal", "title": .null, "sort": .array(order.map(JSONValue.string))]
  }

  /// Panels of projections in the order in which data flows through them, where the names are those of Llama and its kin.
  private var projections: JSONValue {
    let known = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    let others = Set(rows.map { ModulePlace($0.module).projection }).subtracting(known)
    return Self.header("projection", known + others.sorted(by: NaturalOrder.precedes))
  }

  /// Every panel has its own axis of steps: a last row that is not full leaves the panels above it without else.
  private static let axes: JSONValue = ["axis": ["x": "independent"]]

  private static func logarithmic(_ field: String, title: String) -> JSONValue {
    [
      "field": .string(field), "type": "quantitative", "title": .string(title),
      "scale": ["type": "log", "nice": false, "padding": 6],
      "axis": ["format": "~g", "tickCount": 5],
    ]
  }

  /// Viridis, in which order is lightness too; its last and lightest part is left out.
  private static func sequence(_ field: String, title: String, of data: [JSONValue]) -> JSONValue {
    let values = Set(data.compactMap { $0[field]?.int }).sorted()
    // The ends, and some between them.
    let shown = values.count <= 8 ? values : (0...5).map { values[$0 * (values.count - 1) / 5] }
    return [
      "field": .string(field), "type": "quantitative", "title": .string(title),
      "scale": ["scheme": ["name": "viridis", "extent": [0, 0.88]]],
      "legend": ["gradientLength": 110, "format": "d", "values": .array(shown.map(JSONValue.integer))],
    ]
  }

  private static func tooltip(_ fields: [String], _ value: String) -> JSONValue {
    .array(
      fields.map { ["field": .string($0), "title": .string($0)] }
        + [["field": .string(value), "title": .string(value), "format": ".4g"]])
  }
}
