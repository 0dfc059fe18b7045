import Diagnosis
import Adapters
import OrderedCollections
import Weights

/// What is to be expected of a run before it begins: the size of its first steps by the law of step sizes, against LoRA's on the same
/// layers, the rate at which the two agree, and what goes wrong with the method at its start and on a reload.
package struct RunPlan: Sendable {
  /// The first steps of the layers of one kind, or of all of them together.
  package struct Steps: Equatable, Sendable {
    /// Such as `self_attn.q_proj`.
    package var kind: String
    package var layers: Int
    /// √(Σ‖J‖_F²/Σ‖W₀‖_F²) over the layers: the relative size of a step per unit of learning rate; NaN where the weights are zero.
    package var unitStep: Double
    /// The same of LoRA.
    package var loraUnitStep: Double
    package var ratio: Double { unitStep / loraUnitStep }
  }

  package let method: AdapterMethod
  /// r and α; nil where the method has none.
  package let rank: Int?
  package let alpha: Double?
  /// s; nil where the method has none.
  package let scaling: Double?
  /// Those of the LoRA that it is held against.
  package let lora: ResolvedAdapterOptions
  /// Nil where sizes are per unit of it.
  package let learningRate: Double?
  /// What the base is called.
  package let base: String
  package let kinds: [Steps]
  package let total: Steps
  package private(set) var notes: [PlanNote] = []

  /// - Parameters:
  ///   - adapter: what was wished of the adapter; LoRA takes its rank and α, too.
  ///   - layers: at least one, with singular values where the method starts in them.
  ///   - isHalf: whether the base is stored in 16 bits.
  /// - Precondition: the method has a law.
  package init(
    method: any TrainedMethod.Type, adapter: AdapterOptions, layers: [PlannedLayer], learningRate: Double?,
    base: String, isHalf: Bool
  ) {
    let lora = adapter.resolved(for: .lora)
    var own = adapter
    // Rank-1 LoRA differs from LoRA in rank alone.
    if let fixed = method.fixedRank { own.alpha = lora.ratio * Double(fixed) }
    let options = own.resolved(for: method.method)
    self.method = method.method
    let scaling = method.scaling(options)
    self.scaling = scaling
    rank = method.isRanked ? method.startRank(options) : nil
    alpha = scaling == nil ? nil : options.alpha
    (self.lora, self.learningRate, self.base) = (lora, learningRate, base)
    let sizes = layers.map { layer in
      LayerSize(
        kind: layer.kind, norm: layer.norm, step: method.startStepNorm(layer, options.at(layer.path))!,
        lora: TrainedLoRA.startStepNorm(layer, lora.at(layer.path))!)
    }
    let groups = OrderedDictionary(grouping: sizes, by: \.kind)
    kinds = groups.map { kind, sizes in Self.steps(kind, sizes) }
    total = Self.steps("all", sizes)
    notes = PlanNotes(plan: self, options: options, isHalf: isHalf).all
  }

  private struct LayerSize {
    var kind: String
    var norm: Double
    var step: Double
    var lora: Double
  }

  private static func steps(_ kind: String, _ sizes: [LayerSize]) -> Steps {
    let norm = euclideanNorm(sizes.map(\.norm))
    return Steps(
      kind: kind, layers: sizes.count, unitStep: euclideanNorm(sizes.map(\.step)) / norm,
      loraUnitStep: euclideanNorm(sizes.map(\.lora)) / norm)
  }

  /// How many times as far as LoRA's its first steps go at the same rate.
  package var ratio: Double { total.ratio }

  /// The rate at which its first steps are as large as LoRA's at the rate given.
  package var matchingRate: Double? { learningRate.map { $0 / ratio } }

  /// After how many steps the update is as large as what rounding a merged weight to bfloat16 loses, 0.425·2⁻⁸ of ‖W₀‖_F: n where all
  /// steps go one way, n² where each goes a way of its own.
  package var stepsBeyondMerging: (least: Int, most: Int)? {
    guard let learningRate else { return nil }
    let n = max(1, FloatFormat.bfloat16.rmsRounding / (learningRate * total.unitStep))
    // Beyond this nobody trains, and nothing is to be said of NaN.
    guard n < 1e6 else { return nil }
    return (Int(n.rounded(.up)), Int((n * n).rounded(.up)))
  }
}

// MARK: - Forms

extension RunPlan {
  package var text: String {
    let rate = learningRate ?? 1
    var table = TextTable(
      columns: [
        ("", .left), ("kind", .left), ("layers", .right), (method.rawValue, .right), ("LoRA", .right),
        ("ratio", .right),
      ])
    for steps in kinds + [total] {
      table.add([
        PlanNote.Mark.law.rawValue, steps.kind, String(steps.layers), (rate * steps.unitStep).brief,
        (rate * steps.loraUnitStep).brief, steps.ratio.brief,
      ])
    }
    let size = learningRate.map { "at the rate \(Self.given($0))" } ?? "per unit of learning rate"
    let heading =
      "\(description), against LoRA of \(Self.settings(lora.rank, lora.alpha, lora.ratio)), on \(base)\n"
      + "‖δW‖/‖W₀‖ of a first step \(size)"
    return ([heading, table.text, ""] + notes.map(\.text)).joined(separator: "\n")
  }

  /// The method with its settings.
  private var description: String {
    let settings = Self.settings(rank, alpha, scaling)
    return settings.isEmpty ? method.rawValue : "\(method.rawValue) of \(settings)"
  }

  private static func settings(_ rank: Int?, _ alpha: Double?, _ scaling: Double?) -> String {
    [
      rank.map { "rank \($0)" }, alpha.map { "α \(given($0))" },
      scaling.map { "s = \($0 == $0.rounded() ? given($0) : $0.brief)" },
    ].compactMap { $0 }
      .joined(separator: ", ")
  }

  /// A number as its user would write it.
  static func given(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e6 ? String(Int(value)) : "\(value)"
  }

  package var json: JSONValue {
    [
      "method": .string(method.rawValue), "rank": Self.optional(rank.map(Double.init)), "alpha": Self.optional(alpha),
      "scaling": Self.optional(scaling), "base": .string(base), "learning_rate": Self.optional(learningRate),
      "compared_with": [
        "method": "lora", "rank": .integer(lora.rank), "alpha": .number(lora.alpha), "scaling": .number(lora.ratio),
      ],
      "kinds": .array(kinds.map(json)), "total": json(of: total), "ratio": Self.optional(ratio),
      "matching_learning_rate": Self.optional(matchingRate),
      "steps_beyond_merging": stepsBeyondMerging.map { ["least": .integer($0.least), "most": .integer($0.most)] }
        ?? .null,
      "notes": .array(notes.map(\.json)),
    ]
  }

  private func json(of steps: Steps) -> JSONValue {
    [
      "kind": .string(steps.kind), "layers": .integer(steps.layers), "unit_step": Self.optional(steps.unitStep),
      "lora_unit_step": Self.optional(steps.loraUnitStep), "ratio": Self.optional(steps.ratio),
      "first_step": Self.optional(learningRate.map { $0 * steps.unitStep }),
      "lora_first_step": Self.optional(learningRate.map { $0 * steps.loraUnitStep }),
    ]
  }

  /// What is not there or not defined is null.
  private static func optional(_ value: Double?) -> JSONValue {
    value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null
  }
}

/// One thing to know of a run before it begins.
package struct PlanNote: Equatable, Sendable {
  /// What it rests on.
  package enum Mark: String, Sendable {
    /// Algebra.
    case law
    /// Runs of the laboratory that comes with this program.
    case measurement
    /// Somebody else's paper or code.
    case report
  }

  package var mark: Mark
  /// A name that scripts can look for.
  package var topic: String
  package var message: String
  /// Where it comes from; nil for what follows from the method's own formula.
  package var source: String?

  package init(_ mark: Mark, _ topic: String, _ message: String, source: String? = nil) {
    self.mark = mark
    self.topic = topic
    self.message = message
    self.source = source
  }

  package var text: String {
    let width = Mark.measurement.rawValue.count
    let blanks = String(repeating: " ", count: width - mark.rawValue.count + 2)
    return mark.rawValue + blanks + message + (source.map { " (\($0))" } ?? "")
  }

  package var json: JSONValue {
    [
      "mark": .string(mark.rawValue), "topic": .string(topic), "message": .string(message),
      "source": source.map(JSONValue.string) ?? .null,
    ]
  }
}
