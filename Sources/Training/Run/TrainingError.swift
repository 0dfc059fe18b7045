import Adapters

/// Why a configuration cannot be trained on its base.
package enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownTask(String)
  /// The base has no vocabulary of one token a character.
  case noTokenizer(base: String)
  case tokenization(TokenizationError)
  /// Prompt and response together are longer than the base was made for.
  case tooLong(task: String, length: Int, maximum: Int)
  case noTargets([String])
  case rankTooLarge(rank: Int, module: String, maximum: Int)
  case start(AdapterMethod, String)
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
    case .noTargets(let targets):
      "expected linear layers named \(targets.joined(separator: " or ")), found none. There are "
        + AdapterSet<Float>.allTargets.joined(separator: ", ")
    case .rankTooLarge(let rank, let module, let maximum):
      "expected a rank of at most \(maximum), the smaller dimension of \(module), found \(rank)"
    case .start(let method, let reason): "the start of \(method.rawValue) cannot be computed: \(reason)"
    case .startIsOff(let method, let module, let distance):
      "\(method.rawValue) starts \(distance)·‖W₀‖ away from the base at \(module), more than the rounding of Float32 explains"
    }
  }
}
