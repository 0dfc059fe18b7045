import Adapters
import LinearAlgebra
import Spectra
import Synchronization
import Weights

/// Why a run cannot be planned as it was wished.
package enum PlanError: Error, Equatable, CustomStringConvertible {
  /// No layer of the base has a name that ends in one of these.
  case noTargets([String], base: String, example: String?)
  /// The base's family is none whose layers the method names by itself.
  case namesNoLayers(AdapterMethod, base: String)
  case rankTooLarge(Int, module: String, largest: Int)
  /// The method has no law of step sizes.
  case noLaw(AdapterMethod, reason: String)

  package var description: String {
    switch self {
    case .noTargets(let names, let base, let example):
      "--targets \(names.joined(separator: ",")): \(base) has no such layer"
        + (example.map { "; one of its layers is \($0)" } ?? "")
    case .namesNoLayers(let method, let base):
      "which layers \(method.rawValue) adapts in a model as \(base) is not known; name them with --targets"
    case .rankTooLarge(let rank, let module, let largest):
      "expected a rank of at most \(largest), which \(module) bears, found \(rank)"
    case .noLaw(let method, let reason): "--method \(method.rawValue) has no law of step sizes: \(reason)"
    }
  }
}

/// The layers of a base that a run is planned on: names and shapes first, then what has to be read of the weights.
package struct PlannedBase: Sendable {
  private let base: BaseModel
  private let matches: [ModuleMatcher.Match]

  /// Finds the layers; reads no value.
  ///
  /// - Parameters:
  ///   - name: what the base is called in messages, where that is not its path.
  ///   - targets: the ends of the layers' names; the method's own choice where nil, and every linear layer but the output's where that
  ///     choice is the seven of a decoder, of which this base has none.
  /// - Throws: `FileError` where the base cannot be opened, or `PlanError` where no layer fits.
  package init(
    path: String, named name: String? = nil, method: any TrainedMethod.Type, targets: [String]?
  ) throws {
    base = try BaseModel(path: path)
    let finder = LayerFinder(base: base, matcher: try base.matcher(), layers: method.layers)
    let own = method.targets(ofFamily: base.modelType)
    var found = try finder.layers { name in (targets ?? own).contains { AdapterOptions.matches(name, $0) } }
    if found.isEmpty, targets == nil, own == AdapterMethod.linearLayers { found = try finder.layers { _ in true } }
    guard !found.isEmpty else {
      guard let targets else { throw PlanError.namesNoLayers(method.method, base: name ?? path) }
      throw PlanError.noTargets(targets, base: name ?? path, example: try finder.layers { _ in true }.first?.module)
    }
    matches = found
  }

  /// How many layers there are.
  package var count: Int { matches.count }

  /// True where the weights are stored in a 16-bit format.
  package var isHalf: Bool {
    matches.allSatisfy { ((try? base.entry($0.tensor).elementType.format?.unitRoundoff) ?? nil ?? 0) > 0x1p-20 }
  }

  /// - Throws: `PlanError` where a layer is too small for the rank.
  package func requireRoom(for options: ResolvedAdapterOptions, of method: any TrainedMethod.Type) throws(PlanError) {
    for match in matches {
      let rank = method.startRank(options.at(match.module))
      guard let rows = match.rows, let columns = match.columns,
        let largest = method.largestRank(rows: rows, columns: columns), rank > largest
      else { continue }
      throw .rankTooLarge(rank, module: match.module, largest: largest)
    }
  }

  /// What the law needs to know of the layers.
  ///
  /// - Parameters:
  ///   - keeping: nil where singular values are not needed; else the vectors that a basis is to keep, for the analysis to come.
  ///   - folder: where bases are kept.
  /// - Throws: `MeasurementPlan.Interrupted`, or `FileError` where a weight cannot be used.
  package func layers(
    keeping kept: KeptVectors?, _ folder: BasisFolder?, jobs: Int,
    shouldStop: @escaping @Sendable () -> Bool = { false },
    report: @escaping @Sendable (MeasurementPlan.Progress) -> Void = { _ in }
  ) throws -> [PlannedLayer] {
    let found = Mutex<[Int: PlannedLayer]>([:])
    let total = matches.count
    let widest = matches.compactMap(\.columns).max()
    try forEachConcurrently(Array(matches.indices), workers: jobs, shouldStop: shouldStop) { index in
      var layer = try read(matches[index], keeping: kept, folder)
      layer.widestColumns = widest ?? layer.columns
      let done = found.withLock { layers in
        layers[index] = layer
        return layers.count
      }
      report(.init(done: done, resumed: 0, total: total))
    }
    let layers = found.withLock { $0 }
    guard layers.count == total else {
      throw MeasurementPlan.Interrupted(
        progress: .init(done: layers.count, resumed: 0, total: total), journal: folder?.path ?? "memory alone")
    }
    return matches.indices.map { layers[$0]! }
  }

  private func read(
    _ match: ModuleMatcher.Match, keeping kept: KeptVectors?, _ folder: BasisFolder?
  ) throws -> PlannedLayer {
    let tensor = try BaseTensor(base, match)
    var layer = PlannedLayer(
      path: match.module, rows: tensor.rows, columns: tensor.columns, norm: try tensor.frobeniusNorm())
    if match.norm != nil {
      var alone = match
      alone.norm = nil
      layer.normWithoutGains = try BaseTensor(base, alone).frobeniusNorm()
    }
    guard let kept else { return layer }
    do {
      layer.singularValues = try Self.basis(of: tensor, keeping: kept, folder).values
    } catch {
      throw FileError.wrapping(error, path: base.path, object: match.tensor)
    }
    return layer
  }

  private static func basis(
    of tensor: BaseTensor, keeping kept: KeptVectors, _ folder: BasisFolder?
  ) throws -> SpectralBasis {
    if let folder { return try folder.basis(of: tensor, keeping: kept).0 }
    return try SpectralBasis(of: tensor, keeping: kept)
  }
}

/// Finds the layers of a base by their names.
private struct LayerFinder {
  let base: BaseModel
  let matcher: ModuleMatcher
  let layers: AdaptedLayers

  /// The weights of the layers that are wanted; for norms those behind them.
  func layers(where isWanted: (String) -> Bool) throws(FileError) -> [ModuleMatcher.Match] {
    var found: [ModuleMatcher.Match] = []
    for name in base.tensorNames.sorted() where name.hasSuffix(".weight") && !BasisPlan.isVocabulary(name) {
      let module = String(name.dropLast(".weight".count))
      let shape = try base.shape(of: name)
      guard isWanted(module), shape.count == (layers == .linear ? 2 : 1) else { continue }
      // What has no layers behind it cannot be measured either.
      switch layers {
      case .linear: found += (try? matcher.linearWeight(of: module, shape: shape)).map { [$0] } ?? []
      case .norms: found += (try? matcher.weights(behindNorm: module, size: shape[0])) ?? []
      }
    }
    return found
  }
}
