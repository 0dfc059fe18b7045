import Adapters
import OrderedCollections
import Weights

/// Finds the base weight of every module of every checkpoint, and says which have none.
struct ModuleMatching {
  let base: BaseModel
  let checkpoints: [MeasurementPlan.Checkpoint]
  private(set) var modules: [MeasurementPlan.Module] = []
  private(set) var remarks: [AdapterRemark] = []
  /// Every module of every adapter, matched or not.
  private(set) var adapterModules: Set<String> = []
  private(set) var mismatches: OrderedDictionary<String, ModuleMatcher.Mismatch> = [:]
  /// Norms that no weight can be analysed behind, by the reason.
  private var norms: OrderedDictionary<String, [String]> = [:]
  /// Whole weights of a model that its base does not have.
  private var extras: [String] = []

  init(base: BaseModel, checkpoints: [MeasurementPlan.Checkpoint]) {
    self.base = base
    self.checkpoints = checkpoints
  }

  mutating func run() throws(FileError) {
    let matcher = try base.matcher()
    var found: OrderedDictionary<String, MeasurementPlan.Module> = [:]
    for (index, checkpoint) in checkpoints.enumerated() {
      adapterModules.formUnion(checkpoint.adapter.skippedModules)
      for module in checkpoint.adapter.modules {
        do throws(ModuleMatcher.Mismatch) {
          for match in try matches(of: module, in: checkpoint.adapter, matcher) {
            if let taken = found[match.module]?.appearances.last, taken.checkpoint == index {
              throw .ambiguous([taken.module.path])
            }
            found[match.module, default: .init(match: match, appearances: [])].appearances.append(
              (index, module.sized(as: match)))
          }
        } catch {
          note(error, of: module, in: checkpoint.adapter)
        }
      }
    }
    modules = Array(found.values)
    remarkOnMismatches()
    remarkOnNorms(matcher)
  }

  private mutating func matches(
    of module: AdapterFolder.Module, in adapter: AdapterFolder, _ matcher: ModuleMatcher
  ) throws(ModuleMatcher.Mismatch) -> [ModuleMatcher.Match] {
    let matches = try matcher.matches(module, isFanInFanOut: adapter.configuration.isFanInFanOut)
    // What stands for several weights of the base, or for one behind it, is counted by these.
    let names = matches.map { $0.norm == nil && module.experts == nil ? module.path : $0.module }
    adapterModules.formUnion(names)
    return matches
  }

  private mutating func note(
    _ mismatch: ModuleMatcher.Mismatch, of module: AdapterFolder.Module, in adapter: AdapterFolder
  ) {
    switch mismatch {
    case .normWithoutWeights(let reason):
      adapterModules.insert(module.path)
      norms[reason, default: []].append(module.path)
    case .noSuchModule where module.isWhole && adapter.configuration.type == StoredWhole.type:
      // A model may have been saved with weights that its base ties to others, or lacks: they are nobody's update.
      extras.append(module.path)
    default:
      adapterModules.insert(module.path)
      mismatches[module.path] = mismatch
    }
  }

  private mutating func remarkOnNorms(_ matcher: ModuleMatcher) {
    for (reason, paths) in norms {
      let names = OrderedSet(paths)
      remarks.append(
        AdapterRemark(
          .notAnalysed, value: Double(names.count),
          "\(names.count) trained norm\(names.count == 1 ? " is" : "s are") not analysed, such as \(names[0]): \(reason)"
        ))
    }
    if matcher.normsFeedResidual, modules.contains(where: { $0.match.norm != nil }) {
      remarks.append(
        AdapterRemark(
          .notAnalysed,
          "the norms of this model feed the residual stream beside the layers behind them; that part of what they do is in no row"
        ))
    }
    if let first = extras.first {
      let count = OrderedSet(extras).count
      remarks.append(
        AdapterRemark(
          .notAnalysed, value: Double(count),
          "\(count) whole weight\(count == 1 ? " has" : "s have") no counterpart in the base, such as \(first)"))
    }
  }

  private mutating func remarkOnMismatches() {
    var absent: [String] = []
    for (path, mismatch) in mismatches {
      switch mismatch {
      case .noSuchModule, .normWithoutWeights: absent.append(path)
      case .ambiguous(let names):
        remarks.append(
          AdapterRemark(
            .matchesNoModule, module: path,
            "\(path) fits a weight of the base that another one fits, too (\(names.prefix(3).joined(separator: ", "))), and is "
              + "left out"))
      case .shape(let expected, let found, let tensor):
        remarks.append(
          AdapterRemark(
            .matchesNoModule, module: path,
            "\(path): expected a base weight of shape \(expected), found \(tensor) of shape \(found). "
              + (expected.last == found.last && path.hasSuffix("embed_tokens") || path.hasSuffix("lm_head")
                ? "Was the vocabulary resized for training? Such a weight has no counterpart in the base"
                : "Is this the base that the adapter was trained on?")))
      }
    }
    guard let first = absent.first else { return }
    remarks.append(
      AdapterRemark(
        .matchesNoModule, value: Double(absent.count),
        "\(absent.count) of \(adapterModules.count) adapter modules \(absent.count == 1 ? "matches" : "match") no weight of the "
          + "base \(base.path), such as "
          + "\(first). Is this the base that the adapter was trained on?"))
  }

  /// What an adapter of this kind should hold, in words.
  private func expected(of adapter: AdapterFolder?) -> String {
    switch adapter?.configuration.type {
    case nil, "LORA"?: "LoRA tensors (….lora_A.weight and ….lora_B.weight)"
    case let type?: "tensors of \(type)"
    }
  }

  /// The error for an adapter of which no module fits.
  func noneFits(_ options: MeasurementOptions) -> FileError {
    let trained = checkpoints.last?.adapter.configuration.baseModel
    guard !mismatches.isEmpty else {
      let adapter = checkpoints.last?.adapter
      let skipped = adapter?.remarks.first { $0.kind == .notAnalysed }.map { ": " + $0.message } ?? ""
      return FileError(
        .badContent, path: adapter?.weights.path ?? options.source,
        "expected \(expected(of: adapter)), found none that can be analysed" + skipped)
    }
    let reason = remarks.first { $0.kind == .matchesNoModule }?.message ?? ""
    return FileError(
      .badContent, path: options.base, "expected the weights that the adapter changes, found none. " + reason,
      remedy: "Pass the base that it was trained on with --base"
        + (trained.map { "; the adapter names \"\($0)\"" } ?? ""))
  }
}

extension AdapterFolder.Module {
  /// The module with the size of the weight that it belongs to.
  fileprivate func sized(as match: ModuleMatcher.Match) -> AdapterFolder.Module {
    var copy = self
    (copy.rows, copy.columns) = (match.rows, match.columns)
    return copy
  }
}
