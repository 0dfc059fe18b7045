import Adapters
import LinearAlgebra
import OrderedCollections
import Spectra
import Testing
import Training
import Weights

/// What holds of every method, one suite for all. A method joins by its row in `cases`.
@Suite struct MethodBehaviourTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let method: AdapterMethod
    var options = AdapterOptions(rank: 3, alpha: 5)
    /// The layer's name, which tells IA3 what to scale.
    var path = "model.layers.0.self_attn.q_proj"
    let tensors: [String]
    var testDescription: String {
      method.rawValue + (options.pissaIterations.map { "_niter_\($0)" } ?? "") + " " + path.suffix(9)
        + " \(options.directions)-\(options.magnitudes)"
    }
  }

  static let cases =
    [
      Case(method: .lora, tensors: ["lora_A", "lora_B"]),
      Case(method: .rslora, tensors: ["lora_A", "lora_B"]),
      Case(method: .loraPlus, tensors: ["lora_A", "lora_B"]),
      Case(method: .loraFA, tensors: ["lora_A", "lora_B"]),
      Case(method: .dora, tensors: ["lora_A", "lora_B", "lora_magnitude_vector"]),
      Case(method: .adalora, tensors: ["lora_A", "lora_B", "lora_E"]),
      Case(method: .pissa, tensors: ["lora_A", "lora_B"]),
      Case(
        method: .pissa, options: AdapterOptions(rank: 3, alpha: 5, pissaIterations: 4), tensors: ["lora_A", "lora_B"]),
      Case(method: .milora, tensors: ["lora_A", "lora_B"]),
      Case(method: .miss, tensors: ["miss_block"]),
      Case(method: .vera, tensors: ["vera_lambda_b", "vera_lambda_d"]),
      Case(method: .ia3, tensors: ["ia3_l"]),
      Case(method: .ia3, path: "model.layers.0.mlp.down_proj", tensors: ["ia3_l"]),
      Case(method: .lnTuning, tensors: ["ln_tuning_layers"]),
      Case(method: .rank1, tensors: ["lora_A", "lora_B"]),
      Case(method: .full, tensors: ["weight"]),
    ]
    + SVDDirections.allCases.flatMap { directions in
      SVDMagnitudes.allCases.map { magnitudes in
        var options = AdapterOptions(rank: 3, alpha: 5)
        (options.directions, options.magnitudes) = (directions, magnitudes)
        return Case(method: .svd, options: options, tensors: ["lora_A", "lora_B"])
      }
    }
  static let shapes = [(8, 8), (5, 12), (13, 6)]

  @Test func everyTrainedMethodHasARow() {
    #expect(Set(AdapterMethod.trainable) == Set(Self.cases.map(\.method)))
    #expect(Set(AdapterMethod.trainable).count == 15)
  }

  private func weight<S: TransformerScalar>(_ shape: (Int, Int), as: S.Type) -> Matrix<S> {
    var generator = SeededGenerator(seed: UInt64(shape.0))
    return generator.normalMatrix(rows: shape.0, columns: shape.1)
  }

  private func adapt<S: TransformerScalar>(_ weight: Matrix<S>, _ row: Case) throws -> any AdaptedWeight<S> {
    let (trained, options) = (row.method.trained!, row.options.resolved(for: row.method))
    var generator = SeededGenerator(seed: 3)
    let shared: [SharedTensor<S>] = trained.shared(
      rows: weight.rows + 2, columns: weight.columns + 3, options: options, generator: &generator)
    let layer = LayerToAdapt(
      path: row.path, weight: weight, bias: (0..<weight.rows).map { S($0) - 2.5 }, shared: shared)
    return try trained.adapting(layer, options: options, generator: &generator)
  }

  private func effective<S: TransformerScalar>(_ adapted: any AdaptedWeight<S>, _ parameters: [S]) -> Matrix<S> {
    var result = Matrix<S>(rows: adapted.rows, columns: adapted.columns)
    adapted.effectiveWeight(parameters, into: &result.elements)
    return result
  }

  private func moved<S: TransformerScalar>(_ start: [S], by size: Double = 0.1) -> [S] {
    var generator = SeededGenerator(seed: 8)
    return start.map { $0 + S(size * generator.normal()) }
  }

  @Test(arguments: cases, shapes)
  func itStartsAtTheBase(row: Case, shape: (Int, Int)) throws {
    let weight = weight(shape, as: Float.self)
    let adapted = try adapt(weight, row)
    let difference = Matrix<Double>(effective(adapted, adapted.start)) - Matrix<Double>(weight)
    #expect(try difference.frobeniusNorm() < 1e-6 * Matrix<Double>(weight).frobeniusNorm())
  }

  @Test(arguments: cases, shapes)
  func itsTensorsAreItsParameters(row: Case, shape: (Int, Int)) throws {
    let adapted = try adapt(weight(shape, as: Double.self), row)
    #expect(adapted.tensors.map(\.name) == row.tensors)
    if row.method != .lnTuning { #expect(adapted.tensors.reduce(0) { $0 + $1.count } == adapted.start.count) }
    for tensor in adapted.tensors {
      let r = row.method == .rank1 ? 1 : row.method == .adalora ? 5 : 3
      let scalesRows = row.path.hasSuffix("q_proj")
      let shapes = [
        "lora_A": [r, shape.1], "lora_B": [shape.0, r], "lora_E": [r, 1], "lora_magnitude_vector": [shape.0],
        "miss_block": [3, shape.0], "vera_lambda_b": [shape.0], "vera_lambda_d": [3],
        "ia3_l": scalesRows ? [shape.0, 1] : [1, shape.1], "ln_tuning_layers": [shape.1],
        "weight": [shape.0, shape.1],
      ]
      if row.method == .lnTuning { continue }  // A norm is a vector; this matrix stands for one.
      #expect(tensor.shape == shapes[tensor.name])
    }
  }

  @Test(arguments: cases, shapes)
  func itsUpdateIsTheDifferenceOfItsWeights(row: Case, shape: (Int, Int)) throws {
    let adapted = try adapt(weight(shape, as: Double.self), row)
    var (before, after) = (moved(adapted.start, by: 0.05), moved(adapted.start))
    keepFrozen(adapted, &before)
    keepFrozen(adapted, &after)
    let difference = effective(adapted, after) - effective(adapted, before)
    let update: Matrix<Double>
    switch try adapted.update(from: before, to: after).content {
    case .factored(let product):
      update = product.dense()
      #expect(abs(product.frobeniusNorm() - (try difference.frobeniusNorm())) < 1e-12)
    case .dense(let matrix, _): update = matrix
    }
    #expect(try (update - difference).frobeniusNorm() < 1e-13)
  }

  /// Tensors that are frozen stay at the start.
  private func keepFrozen<S: TransformerScalar>(_ adapted: any AdaptedWeight<S>, _ parameters: inout [S]) {
    for range in frozenRanges(adapted) { parameters.replaceSubrange(range, with: adapted.start[range]) }
  }

  private func frozenRanges<S: TransformerScalar>(_ adapted: any AdaptedWeight<S>) -> [Range<Int>] {
    var first = 0
    return adapted.tensors.compactMap { tensor in
      defer { first += tensor.count }
      return tensor.rateFactor == 0 ? first..<first + tensor.count : nil
    }
  }

  /// The gradient of ⟨G, W_eff⟩ + ⟨g, b_eff⟩; for DoRA with the norms of rows held, as it detaches them.
  @Test(arguments: cases, shapes)
  func itsPullBackIsTheGradient(row: Case, shape: (Int, Int)) throws {
    let adapted = try adapt(weight(shape, as: Double.self), row)
    let parameters = moved(adapted.start)
    var generator = SeededGenerator(seed: 6)
    let g: Matrix<Double> = generator.normalMatrix(rows: shape.0, columns: shape.1)
    var gradient = [Double](repeating: 0, count: parameters.count)
    adapted.pullBack(g.elements, parameters, into: &gradient)
    let biasSlope = (0..<shape.0).map { _ in generator.normal() }
    if adapted.changesBias { adapted.pullBackBias(biasSlope, into: &gradient) }
    let gains = row.method == .dora ? gains(adapted, parameters) : nil
    func value(_ parameters: [Double]) -> Double {
      var weight = effective(adapted, parameters)
      if let gains {
        // Takes the norm that belongs to these parameters out, and the held one in.
        let own = self.gains(adapted, parameters)
        for i in 0..<shape.0 { for j in 0..<shape.1 { weight[i, j] *= own[i] / gains[i] } }
      }
      var bias = [Double](repeating: 0, count: shape.0)
      if adapted.changesBias { adapted.effectiveBias(parameters, into: &bias) }
      return zip(weight.elements + bias, g.elements + biasSlope).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for range in frozenRanges(adapted) { #expect(gradient[range].allSatisfy { $0 == 0 }) }
    for index in parameters.indices where !frozenRanges(adapted).contains(where: { $0.contains(index) }) {
      var (above, below) = (parameters, parameters)
      above[index] += 1e-6
      below[index] -= 1e-6
      // Rounding of the two values over the step: some 1e-15·20/1e-6.
      #expect(abs((value(above) - value(below)) / 2e-6 - gradient[index]) < 1e-7)
    }
  }

  /// The norms c of the rows of DoRA's direction: those of W_eff = diag(m ⊘ c)·V with m = 1.
  private func gains(_ adapted: any AdaptedWeight<Double>, _ parameters: [Double]) -> [Double] {
    let factorCount = parameters.count - adapted.rows
    let (a, b) = (Array(parameters[..<(3 * adapted.columns)]), Array(parameters[(3 * adapted.columns)..<factorCount]))
    let base = effective(adapted, adapted.start)
    let product = product(
      Matrix(rows: adapted.rows, columns: 3, elements: b), Matrix(rows: 3, columns: adapted.columns, elements: a),
      alpha: 5.0 / 3)
    return (0..<adapted.rows).map { i in
      (0..<adapted.columns).reduce(0) { $0 + (base[i, $1] + product[i, $1]) * (base[i, $1] + product[i, $1]) }
        .squareRoot()
    }
  }

  /// A → MA, B → BM⁻¹ changes no effective weight.
  @Test(arguments: cases.filter { $0.tensors.starts(with: ["lora_A", "lora_B"]) && $0.options.rank == 3 })
  func itKnowsNoGauge(row: Case) throws {
    let adapted = try adapt(weight((13, 6), as: Double.self), row)
    var parameters = moved(adapted.start)
    let before = effective(adapted, parameters)
    // M = diag(2, −4, 1/8, 1/2, −2): exact in binary.
    let r = adapted.tensors[0].shape[0]
    for (k, factor) in [2.0, -4, 0.125, 0.5, -2].prefix(r).enumerated() {
      for j in 0..<6 { parameters[k * 6 + j] *= factor }
      for i in 0..<13 { parameters[6 * r + i * r + k] /= factor }
    }
    #expect(try (effective(adapted, parameters) - before).frobeniusNorm() < 1e-14)
  }

  @Test func theSeedDecidesTheStart() throws {
    let layout = DecoderLayout(FiniteDifferenceTests.configurations[0])
    let base = FiniteDifferenceTests.parameters(layout).map { Float($0) }
    func start(_ seed: Int, _ method: AdapterMethod) throws -> [Float] {
      try AdapterSet<Float>(
        method: method, options: AdapterOptions(rank: 2), targets: AdapterMethod.linearLayers, layout: layout,
        base: base, seed: seed
      ).parameters
    }
    #expect(try start(1, .lora) == start(1, .lora))
    #expect(try start(1, .lora) != start(2, .lora))
    #expect(try start(1, .pissa) == start(2, .pissa))
  }

  @Test func loraDrawsAUniformly() throws {
    let weight = Matrix<Double>(rows: 4, columns: 400)
    var generator = SeededGenerator(seed: 1)
    let start = LoRA(weight: weight, rank: 50, scaling: 0.02, generator: &generator).start
    let (a, b) = (start[..<20_000], start[20_000...])
    #expect(b.allSatisfy { $0 == 0 })
    #expect(a.allSatisfy { abs($0) < 1 / 20.0 })
    // Kolmogorov and Smirnov: beyond 1.95/√n once in a thousand seeds.
    let sorted = a.sorted()
    var distance = 0.0
    for (index, value) in sorted.enumerated() {
      let expected = (value * 20 + 1) / 2
      distance = max(distance, abs(Double(index + 1) / 20_000 - expected))
    }
    #expect(distance < 1.95 / 20_000.0.squareRoot())
  }

  @Test(arguments: [(AdapterMethod.pissa, 0..<3), (.milora, 9..<12)])
  func startsSpanTheirEndOfTheSpectrum(method: AdapterMethod, components: Range<Int>) throws {
    let weight = weight((12, 17), as: Double.self)
    let adapted = try adapt(weight, Case(method: method, tensors: []))
    let start = adapted.start
    let a = Matrix(rows: 3, columns: 17, elements: Array(start[..<51]))
    let svd = try singularValueDecomposition(of: weight)
    let own = try householderQR(of: a.transposedCopy()).q
    let vectors = Matrix(svd.vTransposed!.transposed[0..<17, components])
    #expect(try principalAngles(between: own.transposed, and: vectors.transposed).allSatisfy { $0 < 1e-12 })
  }

  /// Where the spectrum falls steeply behind r, subspace iteration finds the exact start; its error falls as (σ_{r+1}/σ_r)^(2k+1).
  @Test func theRandomisedStartFindsASeparatedSubspace() throws {
    var generator = SeededGenerator(seed: 2)
    let u = try householderQR(of: generator.normalMatrix(rows: 30, columns: 20) as Matrix<Double>).q
    let v = try householderQR(of: generator.normalMatrix(rows: 20, columns: 20) as Matrix<Double>).q
    let values: [Double] = [4, 3.5, 3] + (3..<20).map { 0.01 / Double($0) }
    var scaled = u
    for i in 0..<30 { for j in 0..<20 { scaled[i, j] *= values[j] } }
    for matrix in [product(scaled.view, v.transposed), product(scaled.view, v.transposed).transposedCopy()] {
      let svd = try randomizedSVD(of: matrix, rank: 3, iterations: 4, generator: &generator)
      for k in 0..<3 { #expect(abs(svd.values[k] - values[k]) < 1e-12) }
      let exact = try singularValueDecomposition(of: matrix)
      let leading = Matrix(exact.u!.view[0..<matrix.rows, 0..<3])
      #expect(try principalAngles(between: svd.u!.transposed, and: leading.transposed).allSatisfy { $0 < 1e-12 })
    }
  }

  /// The start of `svd` has the chosen singular values, and for those of W₀ the chosen vectors; random ones have nothing to do with them.
  @Test(arguments: SVDDirections.allCases, SVDMagnitudes.allCases)
  func controlsStartAsNamed(directions: SVDDirections, magnitudes: SVDMagnitudes) throws {
    let weight = weight((12, 17), as: Double.self)
    let row = try #require(
      Self.cases.first {
        $0.options.directions == directions && $0.options.magnitudes == magnitudes && $0.method == .svd
      })
    let adapted = try adapt(weight, row)
    let (a, b) = (
      Matrix(rows: 3, columns: 17, elements: Array(adapted.start[..<51])),
      Matrix(rows: 12, columns: 3, elements: Array(adapted.start[51...]))
    )
    let (taken, svd) = (product(b.view, a.view, alpha: 5.0 / 3), try singularValueDecomposition(of: weight))
    let parts: [SVDMagnitudes: [Double]] = [
      .top: Array(svd.values[0..<3]), .middle: Array(svd.values[5..<8]), .bottom: Array(svd.values[9..<12]),
      .unit: [1, 1, 1],
    ]
    let own = try singularValueDecomposition(of: taken)
    for (ours, wanted) in zip(own.values.prefix(3), try #require(parts[magnitudes])) {
      #expect(abs(ours - wanted) < 1e-12)
    }
    let components: [SVDDirections: Range<Int>] = [.top: 0..<3, .middle: 5..<8, .bottom: 9..<12]
    let frame = try householderQR(of: b).q
    if let range = components[directions] {
      let vectors = Matrix(svd.u!.view[0..<12, range])
      #expect(try principalAngles(between: frame.transposed, and: vectors.transposed).allSatisfy { $0 < 1e-10 })
    } else {
      let vectors = Matrix(svd.u!.view[0..<12, 0..<3])
      #expect(try principalAngles(between: frame.transposed, and: vectors.transposed).contains { $0 > 0.5 })
    }
  }

  @Test func patternsGiveModulesRanksOfTheirOwn() throws {
    let layout = DecoderLayout(FiniteDifferenceTests.configurations[0])
    let base = FiniteDifferenceTests.parameters(layout).map { Float($0) }
    var options = AdapterOptions(rank: 2, alpha: 6)
    options.rankPattern = ["q_proj": 3, "model.layers.1.mlp.down_proj": 1]
    options.alphaPattern = ["down_proj": 4]
    let adapters = try AdapterSet<Float>(
      method: .lora, options: options, targets: nil, layout: layout, base: base, seed: 1)
    func rank(_ path: String) -> Int? { adapters.modules.first { $0.path == path }?.weight.tensors[0].shape[0] }
    func scaling(_ path: String) -> Double? { adapters.modules.first { $0.path == path }?.weight.factorSpan?.scaling }
    #expect(rank("model.layers.0.self_attn.q_proj") == 3 && scaling("model.layers.0.self_attn.q_proj") == 2)
    #expect(rank("model.layers.1.mlp.down_proj") == 1 && scaling("model.layers.1.mlp.down_proj") == 4)
    #expect(rank("model.layers.0.mlp.down_proj") == 2 && scaling("model.layers.0.mlp.down_proj") == 2)
    #expect(rank("model.layers.0.mlp.up_proj") == 2 && scaling("model.layers.0.mlp.up_proj") == 3)
  }
}
