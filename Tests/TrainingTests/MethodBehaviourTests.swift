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
    let tensors: [String]
    var testDescription: String { method.rawValue + (options.pissaIterations.map { "_niter_\($0)" } ?? "") }
  }

  static let cases = [
    Case(method: .lora, tensors: ["lora_A", "lora_B"]),
    Case(method: .dora, tensors: ["lora_A", "lora_B", "lora_magnitude_vector"]),
    Case(method: .pissa, tensors: ["lora_A", "lora_B"]),
    Case(
      method: .pissa, options: AdapterOptions(rank: 3, alpha: 5, pissaIterations: 4), tensors: ["lora_A", "lora_B"]),
    Case(method: .milora, tensors: ["lora_A", "lora_B"]),
    Case(method: .full, tensors: ["weight"]),
  ]
  static let shapes = [(8, 8), (5, 12), (13, 6)]

  @Test func everyTrainedMethodHasARow() {
    #expect(Set(AdapterMethod.trainable) == Set(Self.cases.map(\.method)))
  }

  private func weight<S: TransformerScalar>(_ shape: (Int, Int), as: S.Type) -> Matrix<S> {
    var generator = SeededGenerator(seed: UInt64(shape.0))
    return generator.normalMatrix(rows: shape.0, columns: shape.1)
  }

  private func adapt<S: TransformerScalar>(_ weight: Matrix<S>, _ row: Case) throws -> any AdaptedWeight<S> {
    var generator = SeededGenerator(seed: 3)
    return try row.method.adapting(weight, options: row.options, generator: &generator)
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
    #expect(adapted.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) } == adapted.start.count)
    for tensor in adapted.tensors {
      switch tensor.name {
      case "lora_A": #expect(tensor.shape == [3, shape.1])
      case "lora_B": #expect(tensor.shape == [shape.0, 3])
      case "lora_magnitude_vector": #expect(tensor.shape == [shape.0])
      default: #expect(tensor.shape == [shape.0, shape.1])
      }
    }
  }

  @Test(arguments: cases, shapes)
  func itsUpdateIsTheDifferenceOfItsWeights(row: Case, shape: (Int, Int)) throws {
    let adapted = try adapt(weight(shape, as: Double.self), row)
    let (before, after) = (moved(adapted.start, by: 0.05), moved(adapted.start))
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

  /// The gradient of ⟨G, W_eff⟩; for DoRA with the norms of rows held, as it detaches them.
  @Test(arguments: cases, shapes)
  func itsPullBackIsTheGradient(row: Case, shape: (Int, Int)) throws {
    let adapted = try adapt(weight(shape, as: Double.self), row)
    let parameters = moved(adapted.start)
    var generator = SeededGenerator(seed: 6)
    let g: Matrix<Double> = generator.normalMatrix(rows: shape.0, columns: shape.1)
    var gradient = [Double](repeating: 0, count: parameters.count)
    adapted.pullBack(g.elements, parameters, into: &gradient)
    let gains = row.method == .dora ? gains(adapted, parameters) : nil
    func value(_ parameters: [Double]) -> Double {
      var weight = effective(adapted, parameters)
      if let gains {
        // Takes the norm that belongs to these parameters out, and the held one in.
        let own = self.gains(adapted, parameters)
        for i in 0..<shape.0 { for j in 0..<shape.1 { weight[i, j] *= own[i] / gains[i] } }
      }
      return zip(weight.elements, g.elements).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for index in parameters.indices {
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
  @Test(arguments: cases.filter { $0.method != .full })
  func itKnowsNoGauge(row: Case) throws {
    let adapted = try adapt(weight((13, 6), as: Double.self), row)
    var parameters = moved(adapted.start)
    let before = effective(adapted, parameters)
    // M = diag(2, −4, 1/8): exact in binary.
    for (k, factor) in [2.0, -4, 0.125].enumerated() {
      for j in 0..<6 { parameters[k * 6 + j] *= factor }
      for i in 0..<13 { parameters[18 + i * 3 + k] /= factor }
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
    let start = LoRA(weight: weight, options: AdapterOptions(rank: 50, alpha: 1), generator: &generator).start
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
}
