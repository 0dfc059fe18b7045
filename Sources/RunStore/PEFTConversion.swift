import Adapters
import Foundation
import LinearAlgebra
import OrderedCollections
import Training
import Weights

/// A run on its way into folders that `PeftModel.from_pretrained` loads over a base of its own.
///
///     checkpoint-N/   the adapter at step N
///     base/           the model that the adapters are for
///
/// PiSSA, MiLoRA and their like move s·B₀·A₀ from the base into the adapter. PEFT would take it out of the base again whenever it
/// loads a PiSSA, by a decomposition that is not the run's, and never for the others. So they become plain LoRA: either over the
/// residual base W₀ − s·B₀·A₀, which is written beside them, or with B₀ and A₀ in themselves, over W₀.
package struct PEFTConversion: Sendable {
  private let run: ExtractedRun
  private let series: CheckpointSeries
  /// The adapter at step 0, where its factors began as a part of the base.
  private let start: AdapterFolder?
  private let isPlain: Bool
  private let method: AdapterMethod

  /// Finds what the conversion needs.
  ///
  /// - Parameter isPlain: factors that began as a part of the base are written as LoRA of twice the rank over the original base.
  /// - Throws: `.badContent` for a method without a form in PEFT, and where the adapter at step 0 is lost and needed.
  package init(of run: ExtractedRun, isPlain: Bool) throws(FileError) {
    self.run = run
    guard let method = PEFTFolder.method(named: run.identity.method)?.method else {
      throw FileError(
        .badContent, path: run.path, object: "method",
        "expected a method that PEFT has, found \(FileError.quoted(run.identity.method))")
    }
    do throws(FileError) {
      series = try CheckpointSeries(path: run.folder)
    } catch {
      throw run.damaged.first?.error ?? run.named(error)
    }
    self.method = method
    self.isPlain = isPlain && method.subtractsStart
    start = method.subtractsStart ? try Self.start(of: series, run) : nil
  }

  private static func start(of series: CheckpointSeries, _ run: ExtractedRun) throws(FileError) -> AdapterFolder {
    guard let first = series.checkpoints.first(where: { $0.step == 0 }) else {
      throw FileError(
        .badContent, path: run.path,
        "expected the adapter at step 0, a part of which is missing from the base, found none",
        remedy: "Restore run.h5 or \(RunLayout.checkpoint(0)) from a copy")
    }
    return try AdapterFolder(first.place)
  }

  /// True where the adapters are of use only over the base that is written beside them.
  package var needsResidualBase: Bool { start != nil && !isPlain }

  /// True where the adapters cannot be written without the base: for the residual, and for whole layers, since PEFT stores a layer
  /// with its bias, which training left in the base.
  package var needsBase: Bool { needsResidualBase || (method == .full && !run.identity.isOfPEFT) }

  /// The folder of the base among those that are written.
  package static let baseName = "base"

  /// Writes the folders of all checkpoints, and the base if there is one, each file whole.
  ///
  /// - Parameters:
  ///   - folder: new or empty.
  ///   - base: the model that the run was trained on; it may be nil where it is not needed.
  ///   - writesBase: write the base, too; a residual base always is.
  /// - Returns: the folders.
  /// - Throws: `.cannotCreate`, `.cannotWrite`, and `.badContent` where base and run do not fit each other.
  package func write(
    to folder: String, base: PretrainedModel?, writesBase: Bool = true
  ) throws(FileError) -> [String] {
    precondition(base != nil || !needsBase, "without its base the adapter would be another model")
    var identity = run.identity
    var folders: [String] = []
    if let base, writesBase || needsResidualBase {
      let path = folder + "/" + Self.baseName
      try (needsResidualBase ? try residual(of: base) : base).write(to: path)
      identity.base = URL(fileURLWithPath: path).standardizedFileURL.path
      folders.append(path)
    }
    for checkpoint in series.checkpoints {
      let path = "\(folder)/checkpoint-\(checkpoint.step)"
      try write(checkpoint, of: identity, base: base, to: path)
      folders.append(path)
    }
    return folders
  }

  private func write(
    _ checkpoint: CheckpointSeries.Checkpoint, of identity: RunIdentity, base: PretrainedModel?, to path: String
  ) throws(FileError) {
    let adapter = try AdapterFolder(checkpoint.place)
    var snapshot = try PEFTFolder.snapshot(of: adapter, step: checkpoint.step)
    if let base, method == .full { snapshot.addBiases(of: base) }
    let configuration = try JSONValue(contentsOf: adapter.path + "/" + PEFTConfiguration.fileName)
    var members = configuration.object ?? [:]
    members["base_model_name_or_path"] = .string(identity.base)
    if let start {
      members["init_lora_weights"] = true
      if isPlain {
        Self.doubleRanks(in: &members)
        let first = try PEFTFolder.snapshot(of: start, step: 0)
        snapshot = try snapshot.stacked(onNegativeOf: first, run: run.path)
      }
    }
    try PEFTFolder.write(snapshot, members: members, of: identity, to: path)
  }

  /// Twice the rank with the same scaling: α grows as r, or as √r where ranks are stabilised.
  private static func doubleRanks(in members: inout PEFTMembers) {
    let growth = members["use_rslora"]?.bool == true ? 2.0.squareRoot() : 2
    members["r"] = members["r"]?.int.map { .integer(2 * $0) }
    members["lora_alpha"] = members["lora_alpha"]?.double.map { .number(growth * $0) }
    if let ranks = members["rank_pattern"]?.object {
      members["rank_pattern"] = .object(ranks.mapValues { $0.int.map { .integer(2 * $0) } ?? $0 })
    }
    if let alphas = members["alpha_pattern"]?.object {
      members["alpha_pattern"] = .object(alphas.mapValues { $0.double.map { .number(growth * $0) } ?? $0 })
    }
  }
}

// MARK: - The residual base

extension PEFTConversion {
  /// W₀ − s·B₀·A₀ in Float32, to the bit what training held frozen.
  package func residual(of base: PretrainedModel) throws(FileError) -> PretrainedModel {
    guard let start else { return base }
    var residual = base
    let entries = Dictionary(uniqueKeysWithValues: base.layout.linearEntries.map { ($0.module, $0) })
    for module in start.modules {
      let factors = try start.factors(of: module)
      guard let entry = entries[module.path], entry.shape == [factors.b.rows, factors.a.columns] else {
        throw FileError(
          .badContent, path: run.path, object: module.path,
          "expected a layer of \(factors.b.rows) × \(factors.a.columns) in the base, found none",
          remedy: "Pass the base that the run was trained on with --base")
      }
      let weight = Matrix<Float>(rows: entry.shape[0], columns: entry.shape[1], elements: Array(base.values(of: entry)))
      let frozen = FactorPair(subtracting: factors, from: weight).frozen
      residual.parameters.replaceSubrange(entry.range, with: frozen.elements)
    }
    return residual
  }
}

extension AdapterSnapshot {
  /// Makes whole layers of whole weights.
  fileprivate mutating func addBiases(of base: PretrainedModel) {
    for entry in base.layout.entries where entry.name.hasSuffix(".bias") {
      guard let tensors = modules[entry.module], !tensors.contains(where: { $0.name == "bias" }) else { continue }
      modules[entry.module]?.append(Tensor(name: "bias", shape: entry.shape, values: Array(base.values(of: entry))))
    }
  }

  /// The factors [A; A₀] and [B, −B₀], whose product is B·A − B₀·A₀.
  ///
  /// - Throws: `.badContent` where the start lacks a tensor or has it in another shape.
  fileprivate func stacked(onNegativeOf start: AdapterSnapshot, run: String) throws(FileError) -> AdapterSnapshot {
    var result = self
    for (module, tensors) in modules {
      result.modules[module] = try tensors.map { tensor throws(FileError) in
        guard ["lora_A", "lora_B"].contains(tensor.name) else { return tensor }
        guard let first = start.modules[module]?.first(where: { $0.name == tensor.name }), first.shape == tensor.shape
        else {
          throw FileError(
            .badContent, path: run, object: "\(module).\(tensor.name)",
            "expected the same tensor at step 0, found none of shape \(tensor.shape)")
        }
        return tensor.name == "lora_A" ? tensor.above(first) : tensor.leftOf(first)
      }
    }
    return result
  }
}

extension AdapterSnapshot.Tensor {
  /// This matrix with the rows of another one below it.
  fileprivate func above(_ other: Self) -> Self {
    Self(name: name, shape: [shape[0] + other.shape[0], shape[1]], values: values + other.values)
  }

  /// This matrix with the negated columns of another one to its right.
  fileprivate func leftOf(_ other: Self) -> Self {
    let (own, added) = (shape[1], other.shape[1])
    var joined: [Float] = []
    for row in 0..<shape[0] {
      joined += values[row * own..<(row + 1) * own]
      joined += other.values[row * added..<(row + 1) * added].map { -$0 }
    }
    return Self(name: name, shape: [shape[0], own + added], values: joined)
  }
}
