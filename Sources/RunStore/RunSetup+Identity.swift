import Adapters
import Diagnosis
import Weights

extension RunSetup {
  /// Takes what a run of our own has recorded.
  package mutating func take(_ identity: RunIdentity) {
    let configuration = identity.configuration
    func number(_ name: String) -> Double? { configuration[name]?.double }
    trainer = .own
    (rank, alpha) = (identity.rank ?? rank, identity.alpha ?? alpha)
    learningRate = number("learning_rate") ?? learningRate
    dropout = number("dropout") ?? dropout
    objective = configuration["objective"]?.string
    klCoefficient = number("kl_coefficient")
    maximumGradientNorm = number("maximum_gradient_norm")
    if method == AdapterMethod.svd.rawValue { directions = configuration["directions"]?.string }
    warmupSteps = configuration["warmup_steps"]?.int
  }

  /// The setup of a run of our own that is about to be trained.
  package init(_ identity: RunIdentity) {
    self.init()
    (method, hasInitial) = (identity.method, true)
    take(identity)
  }
}
