import OrderedCollections

/// The names of columns. Ours are TRL's with an underscore for each slash; this table says what other trainers call the same.
package enum TrainingColumn {
  /// Another trainer's name, and ours. Of several names for one column the first that a log has stands for it, and the others keep
  /// their own; so does every name where the log has ours itself.
  ///
  /// `actor/ppo_kl` and OpenRLHF's `ppo_kl` are no `kl`: they measure from the policy that drew the completions, not from the base.
  static let aliases: [(other: String, ours: String)] = [
    // verl
    ("critic/score/mean", "reward"), ("critic/rewards/mean", "reward"), ("actor/entropy", "entropy"),
    ("actor/entropy_loss", "entropy"), ("actor/kl_loss", "kl"), ("actor/ppo_kl", "ppo_kl"),
    ("actor/grad_norm", "grad_norm"), ("actor/pg_clipfrac", "clip_ratio_region_mean"), ("actor/lr", "learning_rate"),
    ("actor/pg_loss", "loss"), ("response_length/mean", "completions_mean_length"),
    ("response_length/clip_ratio", "completions_clipped_ratio"),
    // OpenRLHF
    ("policy_loss", "loss"), ("actor_lr", "learning_rate"), ("response_length", "completions_mean_length"),
    ("entropy_loss", "entropy"), ("ppo_clip_ratio", "clip_ratio_region_mean"), ("actor_grad_norm", "grad_norm"),
    // TRL before 0.17, its PPO, and trainers of supervised learning
    ("completion_length", "completions_mean_length"), ("clip_ratio", "clip_ratio_region_mean"),
    ("objective/scores", "reward"), ("policy/entropy_avg", "entropy"),
    ("policy/clipfrac_avg", "clip_ratio_region_mean"), ("lr", "learning_rate"), ("train_loss", "loss"),
  ]

  /// Names that a log may give its steps, in order of preference.
  static let stepNames = ["step", "global_step", "Step", "_step", "train/global_step"]

  /// What the Hugging Face Trainer logs of a run as a whole, at its last step.
  static let summaryNames: Set<String> = [
    "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos",
  ]

  /// Names that the layout of `training.h5` needs for itself, or that HDF5 cannot hold.
  static let reservedNames: Set<String> = ["step", "module", "title", "non_finite", "", "."]

  /// Our name for each name in a log, no two alike: a name of ours first, then those without an alias, then by the table.
  static func names(of logged: OrderedSet<String>) -> [String: String] {
    let ranked = logged.map { (name: $0, place: place(of: $0)) }.enumerated()
      .sorted { ($0.element.place.rank, $0.offset) < ($1.element.place.rank, $1.offset) }.map(\.element)
    var taken: Set<String> = []
    var names: [String: String] = [:]
    for (name, place) in ranked {
      let wishes = [place.column, plain(withoutPrefix(name)), plain(name)]
      var column = wishes.first { !taken.contains($0) } ?? wishes[2]
      while taken.contains(column) { column += "_" }
      taken.insert(column)
      names[name] = column
    }
    return names
  }

  /// The column that a name stands for, and how much it is the right name for it, 0 being the most.
  private static func place(of name: String) -> (column: String, rank: Int) {
    let plainName = plain(withoutPrefix(name))
    if let index = aliases.firstIndex(where: { plain($0.other) == plainName }) {
      return (aliases[index].ours, index + 2)
    }
    return (plainName, plainName == name ? 0 : 1)
  }

  /// A name without the `train/` that trainers put before what they log to TensorBoard.
  private static func withoutPrefix(_ name: String) -> String {
    name.hasPrefix("train/") ? String(name.dropFirst("train/".count)) : name
  }

  /// A name that can be a column's: slashes and control characters are underscores, and a reserved name has one more.
  static func plain(_ name: String) -> String {
    var text = ""
    for scalar in name.unicodeScalars {
      text.unicodeScalars.append(scalar == "/" || scalar.properties.generalCategory == .control ? "_" : scalar)
    }
    return reservedNames.contains(text) ? text + "_" : text
  }
}
