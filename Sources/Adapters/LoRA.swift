import LinearAlgebra
import Weights

/// LoRA (Hu et al. 2021, section 4.1): W_eff = W₀ + s·B·A with s = α/r, A uniform on ±1/√columns and B zero at the start.
package struct LoRA<S: TransformerScalar>: FactoredWeight {
  package let pair: FactorPair<S>

  init(pair: FactorPair<S>) { self.pair = pair }

  /// Draws A, which advances the generator: PEFT's default, Kaiming's uniform distribution with a = √5 (He et al. 2015).
  package init(weight: Matrix<S>, rank: Int, scaling: Double, generator: inout SeededGenerator) {
    let bound = 1 / Double(weight.columns).squareRoot()
    let a = (0..<rank * weight.columns).map { _ in S((2 * generator.uniform() - 1) * bound) }
    pair = FactorPair(
      frozen: weight, a: Matrix(rows: rank, columns: weight.columns, elements: a),
      b: Matrix(rows: weight.rows, columns: rank), scaling: scaling)
  }
}

package enum TrainedLoRA: TrainedMethod {
  package static let method = AdapterMethod.lora

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    LoRA(weight: layer.weight, rank: options.rank, scaling: options.ratio, generator: &generator)
  }
}

/// The two factors of a LoRA module and its scaling: ΔW = s·B·A with B of rows × r and A of r × columns, out × in.
///
/// Source: Hu et al. 2021, section 4.1; rsLoRA (Kalajdzievski 2023) differs in s alone, PiSSA (Meng et al. 2024) and MiLoRA
/// (Wang et al. 2024) in the start, LoRA+ and LoRA-FA in the optimiser alone.
package struct LoRAFactors: Equatable, Sendable {
  package var b: Matrix<Double>
  package var a: Matrix<Double>
  package var scaling: Double
  /// How the factors are stored, which decides how finely they can move.
  package var format: FloatFormat
  /// Which updates the method could have made at all.
  package var reach = UpdateReach.everything
  /// √(Σ of the squared norms of what moving every stored number by itself, alone, moves in B·A); nil where B and A are what is stored,
  /// so that it is √(2·Σᵢ‖bᵢ‖²‖aᵢ‖²).
  package var sensitivity: Double?
  /// ‖J‖_F of `StepLaw` for B·A, without the scaling; nil where B and A are themselves what is trained.
  package var unscaledStepNorm: Double?

  package init(b: Matrix<Double>, a: Matrix<Double>, scaling: Double, format: FloatFormat) {
    precondition(b.columns == a.rows, "B has a column for each row of A")
    self.b = b
    self.a = a
    self.scaling = scaling
    self.format = format
  }

  package var rank: Int { b.columns }

  /// True where B or A has no entry but zero, so that the product is zero.
  package var isZero: Bool { b.elements.allSatisfy { $0 == 0 } || a.elements.allSatisfy { $0 == 0 } }

  /// s·B·A as a product of factors.
  package var product: LowRankProduct { LowRankProduct(left: b.scaled(by: scaling), right: a) }

  /// s·B·A − s₀·B₀·A₀ as a product of factors of twice the rank.
  ///
  /// Where rank and scaling agree it is s·((B−B₀)·A + B₀·(A−A₀)), whose terms are as small as the difference itself: the
  /// large common part is never formed, so nothing cancels.
  package func difference(from start: LoRAFactors) -> LowRankProduct {
    if start.isZero { return product }
    if scaling == start.scaling, case .frozenRows(a) = reach, a == start.a {
      return LowRankProduct(left: (b - start.b).scaled(by: scaling), right: a)
    }
    guard rank == start.rank, scaling == start.scaling else {
      return LowRankProduct(
        left: .sideBySide([b.scaled(by: scaling), start.b.scaled(by: -start.scaling)]), right: .stacked([a, start.a]))
    }
    return LowRankProduct(
      left: .sideBySide([(b - start.b).scaled(by: scaling), start.b.scaled(by: scaling)]),
      right: .stacked([a, a - start.a]))
  }

  /// The rms Frobenius norm of what rounding the factors to their format does to s·B·A: s·η·√(2·Σᵢ‖bᵢ‖²‖aᵢ‖²) with
  /// η = 0.425·u, the rms relative rounding error of a number under a logarithmic distribution.
  package func roundingNorm() throws(LinearAlgebraError) -> Double {
    if let sensitivity { return abs(scaling) * format.rmsRounding * sensitivity }
    return abs(scaling) * format.rmsRounding * 2.0.squareRoot() * (try termsNorm())
  }

  /// √(Σᵢ‖bᵢ‖²‖aᵢ‖²).
  func termsNorm() throws(LinearAlgebraError) -> Double {
    euclideanNorm(zip(try b.columnNorms(), try a.scaledRowNorms()).map { $0 * $1 })
  }
}

// MARK: - As a state of training

extension LoRAFactors: StoredWeight {

  /// The change of the product alone. Where a part of the base moved into the factors, `AdapterStart` knows what W₀ is.
  package func change(
    from earlier: (any StoredWeight)?, over base: any PretrainedWeight
  ) throws -> ModuleUpdate? {
    guard let earlier else { return try .sincePretraining(self, start: .pretrained) }
    return try (earlier as? LoRAFactors).map { earlier throws in try .between(earlier, self) }
  }

  package func stepNorm(over base: any PretrainedWeight) throws -> Double? { try stepNorm() }

  /// |s|·√(m·‖A‖_F² + n·‖B‖_F²), or what the method has said of its own numbers.
  ///
  /// At LoRA's start B = 0 and E‖A‖_F² = r/3, so that it is s·√(m·r/3); at PiSSA's and MiLoRA's s·√((m + n)·Σσ/s) over the singular
  /// values that moved into the factors.
  ///
  /// - Parameter rateRatio: how many times as fast as A B learns.
  package func stepNorm(rateRatio: Double = 1) throws(LinearAlgebraError) -> Double {
    if let unscaledStepNorm { return abs(scaling) * unscaledStepNorm }
    return StepLaw.factors(
      rows: b.rows, columns: a.columns, scaling: scaling, aNorm: try a.frobeniusNorm(), bNorm: try b.frobeniusNorm(),
      rateRatio: rateRatio)
  }
}

// MARK: - On disk

/// LoRA's tensors in PEFT's form: `lora_A` of r × columns and `lora_B` of rows × r, for embeddings `lora_embedding_A` and `…_B`.
package enum StoredLoRA: StoredMethod {
  package static let type = "LORA"
  package static let method = AdapterMethod.lora
  package static let parts: Set = ["lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B"]

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let isEmbedding = found.names["lora_embedding_A"] != nil
    let (aName, bName) = isEmbedding ? ("lora_embedding_A", "lora_embedding_B") : ("lora_A", "lora_B")
    guard found.names[aName] != nil, found.names[bName] != nil else {
      throw UnfitModule("expected both lora_A and lora_B, found one of them")
    }
    let (a, b) = (try found.shape(aName), try found.shape(bName))
    guard a[0] == b[1], (a + b).allSatisfy({ $0 > 0 }) else {
      throw UnfitModule("lora_A of \(a) and lora_B of \(b) do not fit each other")
    }
    var module = found.module(
      Self.self, rows: b[0], columns: a[1], rank: a[0], scaling: found.configuration.scaling(of: found.path))
    module.isEmbedding = isEmbedding
    return module
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight { try factors(of: module, in: folder) }

  /// The two factors of a module.
  static func factors(of module: AdapterFolder.Module, in folder: AdapterFolder) throws(FileError) -> LoRAFactors {
    let (a, b) = module.isEmbedding ? ("lora_embedding_A", "lora_embedding_B") : ("lora_A", "lora_B")
    let right = try folder.matrix(a, of: module)
    return LoRAFactors(b: try folder.matrix(b, of: module), a: right, scaling: module.scaling!, format: module.format)
  }
}

extension FloatFormat {
  /// η: the rms relative error of rounding to this format, 0.425·u.
  package var rmsRounding: Double { 0.425 * unitRoundoff }
}

/// √(Σ x²), scaled so that it neither overflows nor vanishes.
package func euclideanNorm(_ values: [Double]) -> Double {
  let scale = powerOfTwoScale(for: values.reduce(0) { max($0, $1.magnitude) })
  return values.reduce(0) { $0 + ($1 * scale) * ($1 * scale) }.squareRoot() / scale
}
