import Adapters
import Training
import Weights

/// What a run needs to go on from a checkpoint.
///
///     /              format, format_version, step, optimizer_steps, previous_kl, steps_without_reward,
///                    rate_factor and interventions where there was one, sha256 of the datasets
///     /first         float32, AdamW's m of every parameter
///     /second        float32, its v
///     /importance    float32, AdaLoRA's Ī; and /uncertainty, its Ū
///     /kept          float32, 1 for each triplet that AdaLoRA keeps
package enum ResumeFile {
  private static let format = HDF5Format(
    name: "spectroscope-resume", version: 1, description: "the state of a run",
    remedy: "Delete it: the run then goes on from the checkpoint before", remedyForOlder: "Delete it")

  /// Writes the file whole; throws `.cannotCreate` or `.cannotWrite`.
  static func write(_ state: TrainingState, to path: String) throws(FileError) {
    try HDF5File.write(to: path) { (root) throws(FileError) in
      try format.write(to: root)
      try root.setAttribute("step", state.step)
      try root.setAttribute("optimizer_steps", state.optimizer.stepCount)
      if let kl = state.previousKL { try root.setAttribute("previous_kl", kl) }
      try root.setAttribute("steps_without_reward", state.stepsWithoutReward)
      if state.interventions > 0 {
        try root.setAttribute("rate_factor", state.rateFactor)
        try root.setAttribute("interventions", state.interventions)
      }
      try root.setAttribute("sha256", sha256(of: state))
      for (name, values) in datasets(of: state) { try root.write(values, shape: [values.count], named: name) }
    }
  }

  /// Throws `.cannotOpen`, or `.badContent` for a file that is damaged, or of another format or step.
  package static func read(from path: String, step: Int) throws(FileError) -> TrainingState {
    let root = try HDF5File.open(path).root()
    try format.require(of: root)
    let found: Int? = try root.number("step")
    guard found == step, let count: Int = try root.number("optimizer_steps") else {
      throw root.location.error("expected the state of step \(step), found another")
    }
    var state = TrainingState(
      step: step,
      optimizer: .init(
        first: try root.dataset("first").read(), second: try root.dataset("second").read(), stepCount: count),
      previousKL: try root.number("previous_kl"),
      stepsWithoutReward: try root.number("steps_without_reward") ?? 0,
      rateFactor: try root.number("rate_factor") ?? 1, interventions: try root.number("interventions") ?? 0)
    if try root.members().contains("importance") {
      state.allocator = .init(
        importance: try root.dataset("importance").read(), uncertainty: try root.dataset("uncertainty").read(),
        kept: try root.dataset("kept").read())
    }
    guard try root.text("sha256") == sha256(of: state) else {
      throw root.location.error("expected the state that its sha256 tells of, found another: it has changed")
    }
    return state
  }

  private static func datasets(of state: TrainingState) -> [(name: String, values: [Float])] {
    let allocator = state.allocator.map {
      [("importance", $0.importance), ("uncertainty", $0.uncertainty), ("kept", $0.kept)]
    }
    return [("first", state.optimizer.first), ("second", state.optimizer.second)] + (allocator ?? [])
  }

  private static func sha256(of state: TrainingState) -> String {
    var digest = SHA256()
    for (_, values) in datasets(of: state) { digest.update(values) }
    var text =
      "\(state.step) \(state.optimizer.stepCount) \(state.previousKL.map { "\($0)" } ?? "-") \(state.stepsWithoutReward)"
    if state.interventions > 0 { text += " \(state.rateFactor) \(state.interventions)" }
    digest.update([UInt8](text.utf8))
    return digest.hexadecimal
  }
}
