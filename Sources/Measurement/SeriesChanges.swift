import Adapters

/// Notices a series whose rank, scaling or targets change along the way.
enum SeriesChanges {
  static func remarks(on checkpoints: [MeasurementPlan.Checkpoint]) -> [AdapterRemark] {
    zip(checkpoints, checkpoints.dropFirst()).flatMap { before, now in
      let change = Change(from: before, to: now)
      return [change.remarkOnTargets, change.remarkOnRanks, change.remarkOnScalings].compactMap { $0 }
    }
  }

  /// Two checkpoints that follow each other.
  private struct Change {
    let before: MeasurementPlan.Checkpoint
    let now: MeasurementPlan.Checkpoint
    private let old: [String: AdapterFolder.Module]
    private let new: [String: AdapterFolder.Module]

    init(from before: MeasurementPlan.Checkpoint, to now: MeasurementPlan.Checkpoint) {
      (self.before, self.now) = (before, now)
      old = Dictionary(before.adapter.modules.map { ($0.path, $0) }) { first, _ in first }
      new = Dictionary(now.adapter.modules.map { ($0.path, $0) }) { first, _ in first }
    }

    private var steps: String { "between steps \(before.step) and \(now.step)" }

    /// The modules of both, in the order of their paths.
    private var common: [(old: AdapterFolder.Module, new: AdapterFolder.Module)] {
      old.keys.sorted().compactMap { path in new[path].map { (old[path]!, $0) } }
    }

    var remarkOnTargets: AdapterRemark? {
      let (added, removed) = (new.keys.filter { old[$0] == nil }, old.keys.filter { new[$0] == nil })
      guard let example = (added + removed).min() else { return nil }
      return AdapterRemark(
        .seriesChanged, step: now.step,
        "the targets change \(steps): \(added.count) modules appear and \(removed.count) are gone, such as \(example). "
          + "Are there two runs in this folder?")
    }

    var remarkOnRanks: AdapterRemark? {
      let changed = common.filter { $0.old.seriesRank != $0.new.seriesRank }
      guard let first = changed.first else { return nil }
      let (oldRank, newRank) = (first.old.rank ?? 0, first.new.rank ?? 0)
      let isDoubled =
        before.adapter.configuration.initialization.isSubtracted
        && changed.allSatisfy { ($0.new.rank ?? 0) == 2 * ($0.old.rank ?? 0) }
      return AdapterRemark(
        isDoubled ? .convertedAdapter : .seriesChanged, step: now.step, value: Double(newRank),
        "the rank of \(changed.count) modules changes \(steps), as \(first.old.path) from \(oldRank) to \(newRank). "
          + (isDoubled
            ? "Twice the rank is what PEFT's conversion of PiSSA or OLoRA on save writes: no growth of the adapter"
            : "Are there two runs in this folder?"))
    }

    var remarkOnScalings: AdapterRemark? {
      let changed = common.filter { $0.old.rank == $0.new.rank && $0.old.scaling != $0.new.scaling }
      guard let first = changed.first, let a = first.old.scaling, let b = first.new.scaling else { return nil }
      return AdapterRemark(
        .seriesChanged, step: now.step,
        "the scaling of \(changed.count) modules changes \(steps), as \(first.old.path) from \(a) to \(b). "
          + "Are there two runs in this folder?")
    }
  }
}

extension AdapterFolder.Module {
  /// The rank that a series keeps: AdaLoRA cuts the rank of its tensors along the way.
  fileprivate var seriesRank: Int? { reportedRank == configuredRank ? rank : configuredRank }
}
