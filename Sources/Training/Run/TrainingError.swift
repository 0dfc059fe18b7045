import Adapters

/// Why a configuration cannot be trained on its base.
package enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownTask(String)
  /// The base has no vocabulary of one token a character.
  case noTokenizer(base: String)
  case tokenization(TokenizationError)
  /// Prompt and response together are longer than the base was made for.
  case tooLong(task: String, length: Int, maximum: Int)
  case noTargets([String], layers: [String])
  case notTrained(AdapterMethod)
  case noPatterns(AdapterMethod)
  case patternWithoutModule(String)
  case initialRankTooSmall(Int, target: Int)
  case noDropout(AdapterMethod)
  /// The steps with a fixed budget are all that there are.
  case noAllocation(fixed: Int, steps: Int)
  case rankTooLarge(rank: Int, module: String, maximum: Int)
  case start(AdapterMethod, String)
  case step(AdapterMethod, String)
  /// A run cannot go on: its start, computed again, is another.
  case otherStart(module: String)
  /// A run cannot go on: what was kept does not fit. What was expected, and what was found.
  case otherState(String)
  /// W_eff(0) differs from W₀ by more than rounding.
  case startIsOff(AdapterMethod, module: String, distance: Double)

  package var description: String {
    switch self {
    case .unknownTask(let name):
      "expected a task among \(TaskRegistry.all.map(\.name).joined(separator: ", ")), found \(name)"
    case .noTokenizer(let base):
      "\(base): expected a tokenizer of one token a character, which the tasks need, found none"
    case .tokenization(let error): "\(error)"
    case .tooLong(let task, let length, let maximum):
      "\(task) needs sequences of \(length) tokens; the base is made for \(maximum)"
    case .noTargets(let targets, let layers):
      "expected layers named \(targets.joined(separator: " or ")), found none that the method adapts. There are "
        + layers.joined(separator: ", ")
    case .notTrained(let method):
      "\(method.rawValue) is not trained, only read. Expected one of "
        + AdapterMethod.trainable.map(\.rawValue).joined(separator: ", ")
    case .noPatterns(let method):
      "\(method.rawValue) has the same rank and α everywhere: expected no patterns of them"
    case .patternWithoutModule(let pattern):
      "expected a pattern of ranks or α to name an adapted layer by the end of its path, found \(pattern), which names none"
    case .initialRankTooSmall(let initial, let target):
      "expected an initial rank of at least the rank at the end, \(target), found \(initial)"
    case .noDropout(let method): "\(method.rawValue) has no input to drop out: expected a dropout of 0"
    case .noAllocation(let fixed, let steps):
      "expected steps between AdaLoRA's initial and final ones, found \(fixed) of these and \(steps) updates in all"
    case .rankTooLarge(let rank, let module, let maximum):
      "expected a rank of at most \(maximum), the largest that \(module) takes, found \(rank)"
    case .step(let method, let reason): "a step of \(method.rawValue) cannot be computed: \(reason)"
    case .start(let method, let reason): "the start of \(method.rawValue) cannot be computed: \(reason)"
    case .otherStart(let module):
      "the start of \(module), computed again, differs from the recorded one, so that the run would not go on as it began. "
        + "Resume it on a machine of the kind that began it"
    case .otherState(let what): "the run cannot go on: expected \(what)"
    case .startIsOff(let method, let module, let distance):
      "\(method.rawValue) starts \(distance)·‖W₀‖ away from the base at \(module), more than the rounding of Float32 explains"
    }
  }
}
