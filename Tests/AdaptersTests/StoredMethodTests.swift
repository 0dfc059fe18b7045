import Adapters
import LinearAlgebra
import TestSupport
import Testing
import Weights

/// What the tensors of each method make of a weight, against the method's formula written down entry by entry.
@Suite struct StoredMethodTests {
  private let writer: AdapterWriter
  private let prefix = "base_model.model."
  private let rows = 6
  private let columns = 8

  init() throws { writer = try AdapterWriter() }

  /// W₀ with numbers that differ from each other.
  private final class Base: PretrainedWeight {
    let weight: Matrix<Double>
    let gains: [Double]

    init(rows: Int, columns: Int) {
      let elements = (0..<rows * columns).map { Double(($0 * 7) % 13) / 4 - 1 }
      weight = Matrix(rows: rows, columns: columns, elements: elements)
      gains = (0..<columns).map { 1 + Double($0) / 8 }
    }

    func matrix() -> Matrix<Double> { weight }
    func weightBehindNorm() -> (weight: Matrix<Double>, gains: [Double], offset: Double) { (weight, gains, 1) }
  }

  /// A tensor whose values are small, differ, and are exact in Float32.
  private func values(_ count: Int, _ seed: Int = 0) -> [Double] {
    (0..<count).map { Double((($0 + 3 * seed) * 5) % 11) / 8 - 0.5 }
  }

  private func read(_ configuration: String, _ tensors: [(String, [Int], [Double])]) throws -> AdapterFolder {
    try writer.folder.write(PEFTConfiguration.fileName, "{\(configuration)}")
    var weights = SafetensorsWriter()
    for (name, shape, values) in tensors { weights.add(name, shape: shape, values, as: .float32) }
    try weights.write(to: writer.folder.path(AdapterFolder.weightsName))
    return try writer.read()
  }

  /// The update of the only module over a base of rows × columns.
  private func update(_ adapter: AdapterFolder, module: String = "q") throws -> ModuleUpdate {
    var found = try #require(adapter.modules.first { $0.path == module })
    #expect(adapter.modules.count == 1 && adapter.skippedModules.isEmpty, "\(adapter.remarks.map(\.message))")
    let matcher = ModuleMatcher(shapes: ["q.weight": [rows, columns]])
    let match = try matcher.match(found, isFanInFanOut: false)
    (found.rows, found.columns) = (match.rows, match.columns)
    let weight = try adapter.weight(of: found, at: match)
    return try #require(try weight.change(from: nil, over: Base(rows: rows, columns: columns)))
  }

  private func expectEqual(_ update: ModuleUpdate, _ formula: (Int, Int) -> Double) throws {
    let dense =
      switch update.content {
      case .factored(let product): product.dense()
      case .dense(let difference, _): difference
      }
    for i in 0..<rows {
      for j in 0..<columns { #expect(abs(dense[i, j] - formula(i, j)) < 1e-12, "\(i) \(j)") }
    }
  }

  @Test func adaLoRA() throws {
    let (a, b, e) = (values(3 * columns), values(rows * 3, 1), [0.5, 0, -2])
    let adapter = try read(
      #""peft_type": "ADALORA", "r": 8, "init_r": 4, "lora_alpha": 16, "rank_pattern": {"q.lora_E": [true, false]}"#,
      [
        (prefix + "q.lora_A", [3, columns], a), (prefix + "q.lora_B", [rows, 3], b), (prefix + "q.lora_E", [3, 1], e),
      ])
    let module = adapter.modules[0]
    #expect(module.rank == 2 && module.reportedRank == 2 && module.configuredRank == 4)
    #expect(adapter.method == .adalora && adapter.remarks.isEmpty)
    try expectEqual(update(adapter)) { i, j in
      (0..<3).reduce(0) { $0 + 16 / (4 + 1e-5) * b[i * 3 + $1] * e[$1] * a[$1 * columns + j] }
    }
  }

  @Test func adaLoRACutToNothing() throws {
    let adapter = try read(
      #""peft_type": "ADALORA", "init_r": 4, "lora_alpha": 16"#,
      [("q.lora_A", [0, columns], []), ("q.lora_B", [rows, 0], []), ("q.lora_E", [0, 1], [])])
    #expect(adapter.modules[0].rank == 0 && adapter.modules[0].configuredRank == 4)
    try expectEqual(update(adapter)) { _, _ in 0 }
  }

  @Test(arguments: [("MISS", "miss_block"), ("BONE", "bone_block")]) func miss(type: String, name: String) throws {
    let d = values(3 * rows)
    let adapter = try read(#""peft_type": "\#(type)", "r": 3"#, [(prefix + "q." + name, [3, rows], d)])
    #expect(adapter.method == .miss)
    let found = try update(adapter)
    // The last block of T is cut: 8 columns are 3 + 3 + 2.
    try expectEqual(found) { i, j in d[(j % 3) * rows + i] }
    guard case .frozenRows(let t) = found.reach else {
      Issue.record("expected frozen rows")
      return
    }
    #expect(
      t
        == Matrix(
          rows: 3, columns: columns, elements: (0..<3 * columns).map { $0 % columns % 3 == $0 / columns ? 1 : 0 }))
  }

  @Test func miniMiSS() throws {
    let d = values(2 * 3)
    let adapter = try read(
      #""peft_type": "MISS", "r": 2, "mini_r": 3, "init_weights": "mini""#, [("q.miss_block", [2, 3], d)])
    try expectEqual(update(adapter)) { i, j in d[(j % 2) * 3 + i % 3] }
  }

  /// Block (o, i) gains (W₀ + I)·D_o.
  @Test func batMiSS() throws {
    let d = values(3 * 2 * 2)
    let adapter = try read(
      #""peft_type": "MISS", "r": 2, "init_weights": "bat""#, [("q.miss_block", [3, 2, 2], d)])
    let weight = Base(rows: rows, columns: columns).weight
    try expectEqual(update(adapter)) { i, j in
      let (o, left) = (i / 2, j / 2 * 2)
      return (0..<2).reduce(0) { sum, k in
        sum + (weight[i, left + k] + (i % 2 == k ? 1 : 0)) * d[o * 4 + k * 2 + j % 2]
      }
    }
  }

  @Test func vera() throws {
    let (a, b) = (values(2 * 10), values(7 * 2, 1))
    let (lambdaB, lambdaD) = (values(rows, 2), values(2, 3))
    let adapter = try read(
      #""peft_type": "VERA", "r": 2"#,
      [
        ("base_model.vera_A", [2, 10], a), ("base_model.vera_B", [7, 2], b),
        (prefix + "q.vera_lambda_b", [rows], lambdaB), (prefix + "q.vera_lambda_d", [2], lambdaD),
      ])
    try expectEqual(update(adapter)) { i, j in
      (0..<2).reduce(0) { $0 + lambdaB[i] * b[i * 2 + $1] * lambdaD[$1] * a[$1 * 10 + j] }
    }
  }

  @Test func veraWithoutItsProjections() throws {
    let adapter = try read(
      #""peft_type": "VERA", "r": 2, "save_projection": false"#,
      [("q.vera_lambda_b", [rows], values(rows)), ("q.vera_lambda_d", [2], values(2))])
    #expect(adapter.modules.isEmpty && adapter.skippedModules == ["q"])
    #expect(adapter.remarks[0].message.contains("save_projection=True"))
  }

  @Test(arguments: [true, false]) func ia3(isFeedForward: Bool) throws {
    let l = values(isFeedForward ? columns : rows)
    let adapter = try read(
      #""peft_type": "IA3""#, [("q.ia3_l", isFeedForward ? [1, columns] : [rows, 1], l)])
    #expect(adapter.modules[0].rank == nil && adapter.method == .ia3)
    let found = try update(adapter)
    let weight = Base(rows: rows, columns: columns).weight
    try expectEqual(found) { i, j in weight[i, j] * (l[isFeedForward ? j : i] - 1) }
    #expect(found.reach == (isFeedForward ? .columnScaling : .rowScaling))
  }

  @Test func loHa() throws {
    let (a1, a2) = (values(rows * 2), values(rows * 2, 1))
    let (b1, b2) = (values(2 * columns, 2), values(2 * columns, 3))
    let adapter = try read(
      #""peft_type": "LOHA", "r": 2, "alpha": 6"#,
      [
        ("q.hada_w1_a", [rows, 2], a1), ("q.hada_w1_b", [2, columns], b1), ("q.hada_w2_a", [rows, 2], a2),
        ("q.hada_w2_b", [2, columns], b2),
      ])
    func entry(_ a: [Double], _ b: [Double], _ i: Int, _ j: Int) -> Double {
      a[i * 2] * b[j] + a[i * 2 + 1] * b[columns + j]
    }
    try expectEqual(update(adapter)) { i, j in 3 * entry(a1, b1, i, j) * entry(a2, b2, i, j) }
  }

  @Test func loKr() throws {
    let (w1, a, b) = (values(2 * 2), values(3 * 1, 1), values(1 * 4, 2))
    let adapter = try read(
      #""peft_type": "LOKR", "r": 1, "alpha": 2"#,
      [("q.lokr_w1", [2, 2], w1), ("q.lokr_w2_a", [3, 1], a), ("q.lokr_w2_b", [1, 4], b)])
    try expectEqual(update(adapter)) { i, j in 2 * w1[i / 3 * 2 + j / 4] * a[i % 3] * b[j % 4] }
  }

  @Test func convolutionsOfLoHaAreSkipped() throws {
    let adapter = try read(
      #""peft_type": "LOHA", "r": 2, "alpha": 6"#,
      [("q.hada_t1", [1, 1, 1, 1], [1]), ("q.hada_w1_a", [2, 2], values(4)), ("q.hada_w1_b", [2, 2], values(4))])
    #expect(adapter.skippedModules == ["q"] && adapter.remarks.map(\.kind) == [.notAnalysed])
  }

  // MARK: DoRA

  private func dora(_ magnitude: [Double], _ a: [Double], _ b: [Double]) throws -> DoRAWeight {
    DoRAWeight(
      factors: LoRAFactors(
        b: Matrix(rows: rows, columns: 2, elements: b), a: Matrix(rows: 2, columns: columns, elements: a), scaling: 2,
        format: .float32), magnitude: magnitude)
  }

  /// W_eff of DoRA, row by row.
  private func effective(_ magnitude: [Double], _ a: [Double], _ b: [Double]) -> Matrix<Double> {
    var v = Base(rows: rows, columns: columns).weight
    for i in 0..<rows {
      for j in 0..<columns { v[i, j] += 2 * (b[i * 2] * a[j] + b[i * 2 + 1] * a[columns + j]) }
      let norm = (0..<columns).reduce(0) { $0 + v[i, $1] * v[i, $1] }.squareRoot()
      for j in 0..<columns { v[i, j] *= magnitude[i] / norm }
    }
    return v
  }

  @Test func doRAAndItsParts() throws {
    let base = Base(rows: rows, columns: columns)
    let (m, m0) = (values(rows, 1).map { $0 + 3 }, values(rows, 2).map { $0 + 3 })
    let (a, b, b0) = (values(2 * columns, 3), values(rows * 2, 4), values(rows * 2, 5))
    let (now, first) = (try dora(m, a, b), try dora(m0, a, b0))
    let (after, before) = (effective(m, a, b), effective(m0, a, b0))
    try expectEqual(try #require(try now.change(from: nil, over: base))) { i, j in after[i, j] - base.weight[i, j] }
    let change = try #require(try now.change(from: first, over: base))
    try expectEqual(change) { i, j in after[i, j] - before[i, j] }
    let parts = try now.parts(from: first, over: base)
    #expect(parts.map(\.part) == [.magnitude, .direction])
    func gain(_ weight: Matrix<Double>, _ a: [Double], _ b: [Double], _ i: Int) -> Double {
      let v = base.weight[i, 0] + 2 * (b[i * 2] * a[0] + b[i * 2 + 1] * a[columns])
      return weight[i, 0] / v
    }
    func steps(_ i: Int) -> Double { gain(after, a, b, i) - gain(before, a, b0, i) }
    try expectEqual(parts[0].update) { i, j in steps(i) * base.weight[i, j] }
    try expectEqual(parts[1].update) { i, j in after[i, j] - before[i, j] - steps(i) * base.weight[i, j] }
    #expect(parts[0].update.reach == .rowScaling)
  }

  @Test func doRAOnDisk() throws {
    let (a, b, m) = (values(2 * columns, 3), values(rows * 2, 4), values(rows, 1).map { $0 + 3 })
    let adapter = try read(
      #""peft_type": "LORA", "r": 2, "lora_alpha": 4, "use_dora": true"#,
      [
        (prefix + "q.lora_A.weight", [2, columns], a), (prefix + "q.lora_B.weight", [rows, 2], b),
        (prefix + "q.lora_magnitude_vector", [rows], m),
      ])
    #expect(adapter.method == .dora)
    let (after, weight) = (effective(m, a, b), Base(rows: rows, columns: columns).weight)
    try expectEqual(update(adapter)) { i, j in after[i, j] - weight[i, j] }
  }

  @Test func doRAWithoutItsMagnitudeIsSkipped() throws {
    let adapter = try read(
      #""peft_type": "LORA", "r": 2, "lora_alpha": 4, "use_dora": true"#,
      [("q.lora_A.weight", [2, columns], values(2 * columns)), ("q.lora_B.weight", [rows, 2], values(2 * rows))])
    #expect(adapter.skippedModules == ["q"])
    #expect(adapter.remarks.map(\.message) == ["q: expected the tensor lora_magnitude_vector, found none"])
  }

  // MARK: Norms

  @Test func norms() throws {
    let gains = values(columns)
    let adapter = try read(
      #""peft_type": "LN_TUNING""#, [(prefix + "n.ln_tuning_layers.weight", [columns], gains)])
    let match = ModuleMatcher.Match(module: "q", tensor: "q.weight", rows: rows, columns: columns)
    let base = Base(rows: rows, columns: columns)
    let found = try #require(try adapter.weight(of: adapter.modules[0], at: match).change(from: nil, over: base))
    try expectEqual(found) { i, j in base.weight[i, j] * (gains[j] - base.gains[j]) }
    #expect(found.reach == .columnScaling)
  }

  // MARK: Others' tensors

  @Test func tensorsOfAnotherMethodAreNoWholeWeights() throws {
    let adapter = try read(
      #""peft_type": "VERA", "r": 2"#,
      [("q.lora_A.weight", [2, columns], values(2 * columns)), ("q.lora_B.weight", [rows, 2], values(2 * rows))])
    #expect(adapter.modules.isEmpty)
    #expect(
      adapter.remarks.map(\.message) == ["2 tensors are those of another method than VERA, such as q.lora_A.weight"])
  }
}
