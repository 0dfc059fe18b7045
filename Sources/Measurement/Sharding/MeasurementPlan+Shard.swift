import Adapters
import LinearAlgebra
import OrderedCollections
import RunStore
import Spectra
import Weights

extension MeasurementPlan {
  /// How a shard ended.
  package struct ShardOutcome: Sendable {
    /// The file that has its pieces.
    package var path: String
    /// How many it measured now.
    package var measured: Int
    /// How many it has in all.
    package var pieces: Int
  }

  /// Measures one shard's modules at every checkpoint, and writes them to a file of their own beside the output.
  ///
  /// Modules are what is divided: a row is held against the one before it. What an earlier start has measured is kept, so that the same
  /// call can be made again after any end.
  ///
  /// - Throws: `FileError`, or `Interrupted`.
  package func run(
    _ shard: Shard, _ options: MeasurementOptions, shouldStop: @escaping @Sendable () -> Bool = { false },
    report: @escaping @Sendable (Progress) -> Void = { _ in }
  ) throws -> ShardOutcome {
    let folder = ShardFolder.path(ofOutput: options.output)
    try ShardFolder.prepare(folder)
    let path = ShardFile.path(of: shard, in: folder)
    let inputs = try inputs(options)
    let parts = try parts(among: shard.count)
    let units = units(of: parts)
    if var kept = try? ShardFile(path: path), (kept.shard, kept.inputs, kept.units) == (shard, inputs, units) {
      // What training logs may have grown since.
      let frame = AnalysisFrame(self, options, remarks: remarks, log: try TrainerLog(options))
      if kept.frame != frame {
        kept.frame = frame
        try kept.write(to: path)
      }
      return ShardOutcome(path: path, measured: 0, pieces: kept.pieces.count)
    }
    let journal = try PieceJournal(output: ShardFile.stem(of: shard, in: folder), identity: inputs)
    let resumed = journal.pieceCount
    let results = try measure(
      parts[shard.index], options, journal: journal, shouldStop: shouldStop, report: report)
    let frame = AnalysisFrame(self, options, remarks: remarks, log: try TrainerLog(options))
    let file = ShardFile(
      shard: shard, inputs: inputs, frame: frame, units: units, references: results.references, pieces: results.pieces)
    try file.write(to: path)
    journal.remove()
    return ShardOutcome(path: path, measured: file.pieces.count - resumed, pieces: file.pieces.count)
  }

  /// What the pieces of all shards must have in common.
  private func inputs(_ options: MeasurementOptions) throws(FileError) -> JSONValue {
    let named: JSONValue = [
      "source": .string(options.source), "base": .string(options.base),
      "logs": .array(options.logs.map(JSONValue.string)),
    ]
    var members = named.object!
    // A run's copies and the embedded base are in temporary folders, others in every process.
    if let run { (members["source"], members["base"]) = (.string(run.path), .string(run.identity.base)) }
    members.merge(try identity().object!.map { ($0.key == "base" ? "base_files" : $0.key, $0.value) }) { $1 }
    return .object(members)
  }

  /// The modules of each shard.
  func parts(among count: Int) throws(FileError) -> [[Module]] {
    let costs = try modules.map { module throws(FileError) in try cost(of: module) }
    let parts = Shard.parts(of: Array(modules.indices), among: count) { costs[$0] }
    return parts.map { $0.map { modules[$0] } }
  }

  private func units(of parts: [[Module]]) -> [ShardFile.Unit] {
    parts.enumerated().flatMap { shard, modules in
      modules.map { module in
        ShardFile.Unit(
          module: module.match.module, steps: module.appearances.map { checkpoints[$0.checkpoint].step }, shard: shard)
      }
    }
  }

  /// About how many operations a module takes: the decomposition of its weight, and what each checkpoint adds.
  ///
  /// By shapes alone, not by what is already in the cache of bases: that changes while shards run, and the division must not.
  private func cost(of module: Module) throws(FileError) -> Double {
    let tensor = try BaseTensor(base, module.match)
    let (size, order) = (Double(tensor.rows * tensor.columns), Double(tensor.smallerDimension))
    let depth = depth.resolved(order: tensor.smallerDimension)
    let directions = Double(directions(of: module, tensor))
    return module.appearances.reduce(depth == .update ? size : size * order) { cost, appearance in
      let stored = appearance.module
      let edge = Double(tensor.rows + tensor.columns)
      let rank = min(Double(stored.configuredRank ?? tensor.smallerDimension), order)
      let spectrum = stored.isWhole ? size * order : edge * rank * rank
      let geometry = depth == .update ? 0 : edge * directions * rank
      return cost + spectrum + geometry + (depth == .full ? order * order * order : 0)
    }
  }
}
