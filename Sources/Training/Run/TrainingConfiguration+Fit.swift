import Adapters
import OrderedCollections

extension TrainingConfiguration {
  /// Throws where it cannot be trained on that base.
  ///
  /// - Parameter task: the opened task; one that is built in where nil.
  package func requireFit(to base: PretrainedModel, task: (any VerifiableTask)?) throws(TrainingError) {
    guard let task = task ?? TaskRegistry.task(named: self.task) else { throw .unknownTask(self.task) }
    let length = task.maximumPromptLength + task.maximumResponseLength
    guard length <= base.configuration.maximumLength else {
      throw .tooLong(task: task.name, length: length, maximum: base.configuration.maximumLength)
    }
    guard let trained = method.trained else { throw .notTrained(method) }
    let entries = AdapterSet<Float>.entries(
      of: method, targets: targets, in: base.layout)
    guard !entries.isEmpty else {
      throw .noTargets(targets ?? [], layers: Self.layerNames(trained.layers))
    }
    guard trained.hasDropout || adapter.dropout == 0 else { throw .noDropout(method) }
    if let allocation = trained.allocation(resolvedAdapter) {
      let fixed = allocation.initialSteps + allocation.finalSteps
      guard fixed < updateCount else {
        throw .noAllocation(fixed: fixed, steps: updateCount)
      }
      let (initial, target) = (trained.startRank(resolvedAdapter), resolvedAdapter.rank)
      guard initial >= target else { throw .initialRankTooSmall(initial, target: target) }
    }
    try requirePatterns(trained, of: entries.map(\.module))
    for entry in entries {
      let options = resolvedAdapter.at(entry.module)
      let rank = trained.startRank(options)
      guard let most = trained.largestRank(rows: entry.shape[0], columns: entry.shape.last!), rank > most else {
        continue
      }
      throw .rankTooLarge(rank: rank, module: entry.module, maximum: most)
    }
  }

  private static func layerNames(_ layers: AdaptedLayers) -> [String] {
    switch layers {
    case .linear: AdapterMethod.linearLayers
    case .norms: ["input_layernorm", "post_attention_layernorm", "norm"]
    }
  }

  private func requirePatterns(_ trained: any TrainedMethod.Type, of modules: [String]) throws(TrainingError) {
    let patterns = Array(adapter.rankPattern.keys) + Array(adapter.alphaPattern.keys)
    guard trained.hasPatterns || patterns.isEmpty else { throw .noPatterns(method) }
    for pattern in patterns where !modules.contains(where: { AdapterOptions.matches($0, pattern) }) {
      throw .patternWithoutModule(pattern)
    }
  }
}
