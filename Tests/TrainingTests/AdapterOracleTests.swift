import Adapters
import LinearAlgebra
import OrderedCollections
import Testing
import Training
import Weights

/// The methods beside LoRA's own against PEFT, with the optimisers that belong to them: effective weights and biases, every gradient
/// tensor, and ten steps, from `Tests/References/training/adapters`.
@Suite struct AdapterOracleTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let method: AdapterMethod
    var options = AdapterOptions(rank: 4, alpha: 8)
    var targets: [String]?
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "lora-plus", method: .loraPlus), Case(name: "lora-fa", method: .loraFA),
    Case(name: "rank1", method: .rank1, options: AdapterOptions()),
    Case(name: "adalora", method: .adalora, options: adalora(allocates: false)),
    Case(name: "adalora-allocated", method: .adalora, options: adalora(allocates: true)),
    Case(name: "miss", method: .miss, options: AdapterOptions(rank: 5)),
    Case(name: "vera", method: .vera, options: AdapterOptions(rank: 7)),
    Case(name: "ia3", method: .ia3),
    Case(
      name: "ln-tuning", method: .lnTuning, targets: ["input_layernorm", "post_attention_layernorm", "norm"]),
  ]

  private static func adalora(allocates: Bool) -> AdapterOptions {
    var options = AdapterOptions(rank: 4, alpha: 8)
    options.adalora.initialRank = 6
    options.adalora.allocates = allocates
    (options.adalora.initialSteps, options.adalora.finalSteps) = (1, 2)
    return options
  }

  @Test(arguments: cases)
  func asPEFT(row: Case) throws {
    try check(row, as: Double.self, tolerance: 1e-10)
    // Ten steps in Float32, where Adam divides small gradients by their own size.
    try check(row, as: Float.self, tolerance: 3e-4)
  }

  private func check<S: TransformerScalar>(_ row: Case, as: S.Type, tolerance: Double) throws {
    let expected = try TensorFile(path: Oracle.folder + "/adapters/\(row.name).safetensors")
    let model = try adaptedModel(row, expected, as: S.self)
    try checkEffective(model, row, expected, tolerance)
    var options = AdamWOptions(weightDecay: 0.01)
    options.convention = row.method.trained!.optimizer
    var optimizer = AdamW<S>(
      count: model.adapters.parameters.count, options: options, groups: model.adapters.parameterGroups)
    var allocator = model.adapters.allocator(stepCount: 10)
    let (batch, losses) = (try Oracle.batch("qwen2"), try expected.doubles("losses"))
    var kept: [Double] = []
    for step in 1...10 {
      let slope = -1 / S(batch.tokenCount)
      var (gradient, logProbabilities) = model.gradient(batch, slope: { _, _ in slope })
      let loss = -logProbabilities.reduce(0) { $0 + Double($1) } / Double(batch.tokenCount)
      // PEFT's loss holds the orthogonality term, which training here never forms.
      if allocator == nil { #expect(abs(loss - losses[step - 1]) < tolerance * 10, "loss before step \(step)") }
      allocator?.addOrthogonality(model.adapters.parameters, to: &gradient)
      if step == 1 { try compare(gradient, model.adapters, expected, "gradient", tolerance, ignoresFrozen: true) }
      let given = gradient
      try model.adapters.precondition(&gradient)
      optimizer.step(&model.adapters.parameters, gradient: gradient, learningRate: 1e-2)
      allocator?.allocate(&model.adapters.parameters, gradient: given, step: step)
      model.refresh()
      if allocator != nil { kept.append(Double(count(of: model.adapters))) }
    }
    try compare(model.adapters.parameters, model.adapters, expected, "end", tolerance * 10)
    if row.name == "adalora-allocated" {
      let theirs = try expected.integers("kept").map(Double.init)
      #expect(kept == theirs)
      #expect(theirs.last == 14 * 4 && theirs.first == 14 * 6)
    }
  }

  static let dropoutCases: [Case] = [
    Case(name: "lora-dropout", method: .lora), Case(name: "dora-dropout", method: .dora),
    Case(name: "adalora-dropout", method: .adalora, options: adalora(allocates: false)),
    Case(name: "miss-dropout", method: .miss, options: AdapterOptions(rank: 5)),
    Case(name: "vera-dropout", method: .vera, options: AdapterOptions(rank: 7)),
  ]

  /// Loss and gradients with dropout are PEFT's, whose layers were given the masks that are drawn here.
  @Test(arguments: dropoutCases)
  func dropoutAsPEFT(row: Case) throws {
    var row = row
    row.options.dropout = 0.3
    let expected = try TensorFile(path: Oracle.folder + "/adapters/\(row.name).safetensors")
    let model = try adaptedModel(row, expected, as: Double.self)
    let batch = try Oracle.batch("qwen2")
    let slope = -1 / Double(batch.tokenCount)
    let (gradient, logProbabilities) = model.gradient(batch, dropoutPlace: [1], slope: { _, _ in slope })
    let loss = -logProbabilities.reduce(0, +) / Double(batch.tokenCount)
    #expect(abs(loss - (try expected.doubles("loss")[0])) < 1e-11)
    try compare(gradient, model.adapters, expected, "gradient", 1e-10)
  }

  /// How many triplets of E are not zero.
  private func count<S: TransformerScalar>(of adapters: AdapterSet<S>) -> Int {
    adapters.modules.flatMap(\.tensorRanges).filter { $0.tensor.name == "lora_E" }
      .reduce(0) { $0 + adapters.parameters[$1.range].count { $0 != 0 } }
  }

  private func adaptedModel<S: TransformerScalar>(
    _ row: Case, _ expected: TensorFile, as: S.Type
  ) throws -> AdaptedModel<S> {
    let model = try Oracle.model("qwen2")
    let base = model.parameters.map { S($0) }
    let shared = try ["vera_A", "vera_B"].compactMap { name -> SharedTensor<S>? in
      guard let shape = expected.tensors[name]?.shape else { return nil }
      let values = try expected.doubles(name).map { S($0) }
      return SharedTensor(name: name, matrix: Matrix(rows: shape[0], columns: shape[1], elements: values))
    }
    var adapters = try AdapterSet<S>(
      method: row.method, options: row.options, targets: row.targets, layout: model.layout, base: base, seed: 0,
      shared: shared.isEmpty ? nil : shared)
    for (path, tensor, range) in tensors(of: adapters) {
      let start = try expected.doubles("start.\(path).\(tensor.name)")
      adapters.parameters.replaceSubrange(range, with: start.map { S($0) })
    }
    return AdaptedModel(layout: model.layout, base: base, adapters: adapters, threads: 2)
  }

  private func checkEffective<S: TransformerScalar>(
    _ model: AdaptedModel<S>, _ row: Case, _ expected: TensorFile, _ tolerance: Double
  ) throws {
    for module in model.adapters.modules where expected.tensors["effective.\(module.path).weight"] != nil {
      let weight = try expected.doubles("effective.\(module.path).weight")
      #expect(
        relativeDistance(model.effectiveWeight(of: module).elements, weight) < tolerance, "weight of \(module.path)")
      guard module.weight.changesBias else { continue }
      var bias = [S](repeating: 0, count: module.weight.rows)
      module.weight.effectiveBias(Array(model.adapters.parameters[module.range]), into: &bias)
      #expect(relativeDistance(bias, try expected.doubles("effective.\(module.path).bias")) < tolerance)
    }
  }

  private func compare<S: TransformerScalar>(
    _ values: [S], _ adapters: AdapterSet<S>, _ expected: TensorFile, _ what: String, _ tolerance: Double,
    ignoresFrozen: Bool = false
  ) throws {
    for (path, tensor, range) in tensors(of: adapters) {
      if ignoresFrozen, tensor.rateFactor == 0 {
        #expect(values[range].allSatisfy { $0 == 0 })
        continue
      }
      let reference = try expected.doubles("\(what).\(path).\(tensor.name)")
      #expect(relativeDistance(values[range], reference) < tolerance, "\(what) \(path).\(tensor.name)")
    }
  }

  private func tensors<S: TransformerScalar>(
    of adapters: AdapterSet<S>
  ) -> [(path: String, tensor: AdapterTensor, range: Range<Int>)] {
    adapters.modules.flatMap { module in module.tensorRanges.map { (module.path, $0.tensor, $0.range) } }
  }

  /// Ranks come to their budget though the last steps teach nothing, and importances are then those of the steps that did.
  @Test func stepsWithoutAGradientAllocateAllTheSame() throws {
    let model = try Oracle.model("qwen2")
    let adapters = try AdapterSet<Float>(
      method: .adalora, options: AdapterOptions(rank: 2, alpha: 8), targets: nil, layout: model.layout,
      base: model.parameters, seed: 0)
    var parameters = adapters.parameters.map { $0 + 0.1 }
    var allocator = try #require(adapters.allocator(stepCount: 10))
    let gradient = parameters.indices.map { Float($0 % 97) / 97 }
    allocator.allocate(&parameters, gradient: gradient, step: 1)
    let importance = allocator.state.importance
    for step in 2...10 { allocator.allocate(&parameters, gradient: nil, step: step) }
    #expect(allocator.state.importance == importance)
    #expect(allocator.state.kept.reduce(0, +) == 2 * 14)
    let masked = adapters.modules.flatMap(\.tensorRanges).filter { $0.tensor.name == "lora_E" }
      .reduce(0) { $0 + parameters[$1.range].count { $0 == 0 } }
    #expect(masked == 14)
  }
}
