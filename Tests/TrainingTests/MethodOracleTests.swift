import Adapters
import LinearAlgebra
import OrderedCollections
import Testing
import Training
import Weights

/// Every trained method against PEFT: effective weights, loss, every gradient tensor, and ten steps of AdamW.
@Suite struct MethodOracleTests {
  static let cases = [
    "qwen2-lora", "qwen2-rslora", "qwen2-dora", "qwen2-pissa", "qwen2-milora", "qwen2-full", "llama-lora",
    "llama-dora",
  ]

  @Test func everyTrainedMethodHasACase() {
    let others = AdapterOracleTests.cases.map(\.method)
    // PEFT lacks `svd`, whose two ends are PiSSA and MiLoRA.
    for method in AdapterMethod.trainable where method != .svd && !others.contains(method) {
      #expect(Self.cases.contains { $0.hasSuffix("-" + method.rawValue) }, "\(method) has no oracle")
    }
  }

  @Test(arguments: cases)
  func gradientsAndStepsAreThoseOfPEFT(name: String) throws {
    // PEFT's start is that of a Float32 decomposition, which turns the subspace that leaves the frozen weight by about
    // 2⁻²⁴·σ₁·√q/gap, some 1e-5 here; ours is that of a Float64 one.
    let isDecomposed = name.hasSuffix("pissa") || name.hasSuffix("milora")
    try check(name, as: Double.self, tolerance: isDecomposed ? 1e-4 : 1e-11)
    try check(name, as: Float.self, tolerance: 1e-4)
  }

  private func check<S: TransformerScalar>(_ name: String, as: S.Type, tolerance: Double) throws {
    let expected = try Oracle.values(ofMethod: name)
    let model = try adaptedModel(name, expected, as: S.self)
    let batch = try Oracle.batch(String(name.split(separator: "-")[0]))
    for module in model.adapters.modules where expected.tensors["effective." + module.path] != nil {
      let distance = relativeDistance(
        model.effectiveWeight(of: module).elements, try expected.doubles("effective." + module.path))
      #expect(distance < tolerance, "effective weight of \(module.path)")
    }
    var optimizer = AdamW<S>(count: model.adapters.parameters.count, options: AdamWOptions(weightDecay: 0.01))
    let losses = try expected.doubles("losses")
    for step in 0...10 {
      let slope = -1 / S(batch.tokenCount)
      let (gradient, logProbabilities) = model.gradient(batch, slope: { _, _ in slope })
      let loss = -logProbabilities.reduce(0) { $0 + Double($1) } / Double(batch.tokenCount)
      #expect(abs(loss - losses[step]) < tolerance * 10, "loss at step \(step)")
      if step == 0 {
        let source = model.adapters.method == .full ? try Oracle.values(ofModel: "qwen2") : expected
        try compare(gradient, model.adapters, source, "gradient", tolerance)
      }
      optimizer.step(&model.adapters.parameters, gradient: gradient, learningRate: 1e-2)
      model.refresh()
      if step == 0 { try compare(model.adapters.parameters, model.adapters, expected, "adamw1", tolerance * 10) }
      if step == 9 { try compare(model.adapters.parameters, model.adapters, expected, "adamw10", tolerance * 10) }
    }
  }

  /// The model at the perturbed start of the oracle.
  private func adaptedModel<S: TransformerScalar>(
    _ name: String, _ expected: TensorFile, as: S.Type
  ) throws -> AdaptedModel<S> {
    let parts = name.split(separator: "-").map(String.init)
    let model = try Oracle.model(parts[0])
    let base = model.parameters.map { S($0) }
    let method = try #require(AdapterMethod(rawValue: parts[1]))
    var adapters = try AdapterSet<S>(
      method: method, options: AdapterOptions(), targets: AdapterMethod.linearLayers, layout: model.layout, base: base,
      seed: 0)
    // Full fine-tuning starts at the base's own weights.
    if method == .full { return AdaptedModel(layout: model.layout, base: base, adapters: adapters, threads: 2) }
    try forEachTensor(adapters) { key, range in
      adapters.parameters.replaceSubrange(range, with: try expected.doubles("start." + key).map { S($0) })
    }
    return AdaptedModel(layout: model.layout, base: base, adapters: adapters, threads: 2)
  }

  private func compare<S: TransformerScalar>(
    _ values: [S], _ adapters: AdapterSet<S>, _ expected: TensorFile, _ what: String, _ tolerance: Double
  ) throws {
    try forEachTensor(adapters) { key, range in
      let reference = try expected.doubles("\(what).\(key)")
      #expect(relativeDistance(values[range], reference) < tolerance, "\(what) \(key)")
    }
  }

  private func forEachTensor<S: TransformerScalar>(
    _ adapters: AdapterSet<S>, _ body: (String, Range<Int>) throws -> Void
  ) throws {
    for module in adapters.modules {
      var first = module.range.lowerBound
      for tensor in module.weight.tensors {
        let count = tensor.shape.reduce(1, *)
        try body("\(module.path).\(tensor.name)", first..<first + count)
        first += count
      }
    }
  }
}
