import LinearAlgebra
import OrderedCollections
import Weights

/// MiSS (Kang and Yin 2025) as PEFT initialises it by default: W_eff = W₀ + Dᵀ·T with D of r × rows, zero at the start, and T = [I I … I] of
/// r × columns, the last block cut. There is no α.
package struct MiSS<S: TransformerScalar>: AdaptedWeight {
  package let frozenWeight: Matrix<S>
  let rank: Int

  package init(weight: Matrix<S>, rank: Int) {
    frozenWeight = weight
    self.rank = rank
  }

  package var rows: Int { frozenWeight.rows }
  package var columns: Int { frozenWeight.columns }
  package var tensors: [AdapterTensor] { [AdapterTensor("miss_block", [rank, rows])] }
  package var start: [S] { Array(repeating: 0, count: rank * rows) }
  package var factorSpan: FactorSpan? { nil }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    weight.update(from: frozenWeight.elements, count: rows * columns)
    for i in 0..<rows {
      let row = weight + i * columns
      for k in 0..<rank {
        let value = parameters[k * rows + i]
        for j in stride(from: k, to: columns, by: rank) { row[j] += value }
      }
    }
  }

  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    for i in 0..<rows {
      let row = g + i * columns
      for k in 0..<rank {
        gradient[k * rows + i] += stride(from: k, to: columns, by: rank).reduce(S.zero) { $0 + row[$1] }
      }
    }
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    try .between(factors(earlier), factors(later))
  }

  private func factors(_ parameters: [S]) -> LoRAFactors {
    let block = Matrix<Double>(Matrix<S>(rows: rank, columns: rows, elements: parameters))
    return StoredMiSS.factors(b: block.transposedCopy(), columns: columns, format: .float32)
  }
}

package enum TrainedMiSS: TrainedMethod {
  package static let method = AdapterMethod.miss
  package static func scaling(_ options: ResolvedAdapterOptions) -> Double? { nil }
  package static func largestRank(rows: Int, columns: Int) -> Int? { columns }

  package static let peftType = StoredMiSS.type

  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    [
      "r": .integer(adapter.rank ?? adapter.firstExtent(of: "miss_block") ?? 1), "miss_dropout": adapter.dropout,
      "mini_r": 1, "bias": "none", "init_weights": true, "target_modules": adapter.paths(),
    ]
  }

  /// Every entry of the weight moves with one number.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    StepLaw.entries(rows: layer.rows, columns: layer.columns)
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> { MiSS(weight: layer.weight, rank: options.rank) }
}

// MARK: - On disk

/// MiSS (Kang and Yin 2025; PEFT's `MISS`, before that `BONE`): shards of the weight share one trained block D, which starts at zero;
/// there is no α.
///
/// - By default, with D of r × rows: ΔW = Dᵀ·T with T = [I I … I] of r × columns, the last block cut. The rows of ΔW stay in the span
///   of T's, whatever is learned.
/// - `init_weights = "mini"`: the same with D made of copies of r × mini_r side by side.
/// - `init_weights = "bat"`, with D of rows/r × r × r: the r × r block (o, i) of W₀ changes by (W₀ + I)·D_o.
package enum StoredMiSS: StoredMethod {
  package static let type = "MISS"
  package static let method = AdapterMethod.miss
  package static let parts: Set = ["miss_block"]
  package static let fields = ConfigurationFields(
    defaultRank: 64, alpha: nil, start: "init_weights", hasPatterns: false)

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    try module(found, part: "miss_block", stored: Self.self)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight { try weight(of: module, part: "miss_block", in: folder) }
}

/// MiSS under its older name.
package enum StoredBone: StoredMethod {
  package static let type = "BONE"
  package static let method = AdapterMethod.miss
  package static let parts: Set = ["bone_block"]
  package static let fields = StoredMiSS.fields

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    try StoredMiSS.module(found, part: "bone_block", stored: Self.self)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight { try StoredMiSS.weight(of: module, part: "bone_block", in: folder) }
}

extension StoredMiSS {
  fileprivate static func module(
    _ found: FoundTensors, part: String, stored: any StoredMethod.Type
  ) throws(UnfitModule) -> AdapterFolder.Module {
    if found.configuration.startName == "bat" {
      let shape = try found.shape(part, axes: 3)
      guard shape[1] == shape[2], shape.allSatisfy({ $0 > 0 }) else {
        throw UnfitModule("expected \(part) of square blocks, found \(shape)")
      }
      return found.module(stored, rows: shape[0] * shape[1], columns: nil, rank: shape[1])
    }
    let shape = try found.shape(part)
    guard shape.allSatisfy({ $0 > 0 }) else { throw UnfitModule("expected \(part) with entries, found \(shape)") }
    let isMini = found.configuration.startName == "mini"
    return found.module(stored, rows: isMini ? nil : shape[1], columns: nil, rank: shape[0], scaling: 1)
  }

  fileprivate static func weight(
    of module: AdapterFolder.Module, part: String, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let (rows, columns, rank) = (module.rows!, module.columns!, module.rank!)
    let shape = try folder.weights.entry(module.tensors[part]!).shape
    let values = try folder.values(part, of: module)
    func unfit(_ what: String) -> FileError {
      FileError(
        .badContent, path: folder.weights.path, object: "tensor " + FileError.quoted(module.tensors[part]!),
        "expected a block whose \(what), found \(shape)")
    }
    if shape.count == 3 {
      guard columns % rank == 0 else { throw unfit("size divides the \(columns) columns of the weight") }
      return MiSSBlocks(blocks: values, size: rank, format: module.format)
    }
    guard rows % shape[1] == 0, rank <= columns else { throw unfit("columns divide the \(rows) rows of the weight") }
    var b = Matrix<Double>(rows: rows, columns: rank)
    for o in 0..<rows {
      for j in 0..<rank { b[o, j] = values[j * shape[1] + o % shape[1]] }
    }
    return factors(b: b, columns: columns, format: module.format)
  }

  /// B·T with T = [I I … I], the last block cut.
  fileprivate static func factors(b: Matrix<Double>, columns: Int, format: FloatFormat) -> LoRAFactors {
    var t = Matrix<Double>(rows: b.columns, columns: columns)
    for i in 0..<columns { t[i % b.columns, i] = 1 }
    var factors = LoRAFactors(b: b, a: t, scaling: 1, format: format)
    factors.reach = .frozenRows(t)
    // T is exact.
    factors.sensitivity = factors.finiteTermsNorm()
    // Every entry of the weight belongs to one number of D, however often D is copied.
    factors.unscaledStepNorm = StepLaw.entries(rows: b.rows, columns: columns)
    return factors
  }
}

/// The trained blocks of MiSS's variant `bat`, whose update depends on W₀.
struct MiSSBlocks: StoredWeight {
  /// rows/size blocks of size × size, row by row.
  var blocks: [Double]
  var size: Int
  var format: FloatFormat

  /// The update is linear in D: the difference of two is that of the difference of their blocks.
  func change(from earlier: (any StoredWeight)?, over base: any PretrainedWeight) throws -> ModuleUpdate? {
    let weight = try base.matrix()
    let now = try applied(blocks, to: weight)
    var roundings = [try roundingNorm(over: weight)]
    var change = now
    if let earlier {
      guard let earlier = earlier as? MiSSBlocks, earlier.blocks.count == blocks.count else { return nil }
      change = try applied(zip(blocks, earlier.blocks).map { $0 - $1 }, to: weight)
      roundings.append(try earlier.roundingNorm(over: weight))
    }
    return ModuleUpdate(
      content: .dense(change, laterNorm: try (weight + now).frobeniusNorm()), roundingNorm: euclideanNorm(roundings))
  }

  /// √(r·Σ‖W_block + I‖_F²): moving an entry of D adds a column of W_block + I to one of r columns, in every block of its row.
  func stepNorm(over base: any PretrainedWeight) throws -> Double? {
    let weight = try base.matrix()
    var parts: [Double] = []
    for top in stride(from: 0, to: weight.rows, by: size) {
      for left in stride(from: 0, to: weight.columns, by: size) {
        parts.append(try shifted(weight, top, left).frobeniusNorm())
      }
    }
    return Double(size).squareRoot() * euclideanNorm(parts)
  }

  /// (W + I)·D, block by block: I stands for the identity in every block.
  private func applied(_ blocks: [Double], to weight: Matrix<Double>) throws(LinearAlgebraError) -> Matrix<Double> {
    var result = Matrix<Double>(rows: weight.rows, columns: weight.columns)
    for top in stride(from: 0, to: weight.rows, by: size) {
      let first = top * size
      let d = Matrix(rows: size, columns: size, elements: Array(blocks[first..<first + size * size]))
      for left in stride(from: 0, to: weight.columns, by: size) {
        let block = product(shifted(weight, top, left).view, d.view)
        for i in 0..<size {
          for j in 0..<size { result[top + i, left + j] = block[i, j] }
        }
      }
    }
    return result
  }

  /// The block of W at a place, with 1 added on its diagonal.
  private func shifted(_ weight: Matrix<Double>, _ top: Int, _ left: Int) -> Matrix<Double> {
    var block = Matrix(weight.view[top..<top + size, left..<left + size])
    for i in 0..<size { block[i, i] += 1 }
    return block
  }

  /// The rms norm of what rounding D does to the update: η·√(Σ ‖column k of W + I‖²·‖row k of D‖²) over all blocks.
  private func roundingNorm(over weight: Matrix<Double>) throws(LinearAlgebraError) -> Double {
    var parts: [Double] = []
    for top in stride(from: 0, to: weight.rows, by: size) {
      let rowNorms = (0..<size).map { k in
        let first = (top + k) * size
        return euclideanNorm(Array(blocks[first..<first + size]))
      }
      for left in stride(from: 0, to: weight.columns, by: size) {
        parts += zip(try shifted(weight, top, left).columnNorms(), rowNorms).map { $0 * $1 }
      }
    }
    return format.rmsRounding * euclideanNorm(parts)
  }
}
