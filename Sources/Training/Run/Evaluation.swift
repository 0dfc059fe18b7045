import LinearAlgebra

/// How well a model does on problems that it never trains on.
struct Evaluation {
  private let task: any VerifiableTask
  private let tokenizer: CharacterTokenizer
  private let problems: [Problem]
  private let temperature: Double

  /// Accuracy on problems of the run's own task is that of completions drawn as in training; the random numbers are the same every
  /// time, so that a difference between two steps is one between their weights. With a temperature of 0 the most probable one counts.
  init(
    _ heldOut: HeldOutSet, of task: any VerifiableTask, tokenizer: CharacterTokenizer, temperature: Double
  ) {
    self.task = task
    self.tokenizer = tokenizer
    self.temperature = temperature
    problems = heldOut.problems
  }

  /// How well the string tasks are still done, which the most probable completions answer.
  ///
  /// - Returns: nil where the vocabulary lacks their characters: then the base never knew them.
  init?(retentionOf count: Int, tokenizer: CharacterTokenizer) {
    guard (try? tokenizer.encode(StringOperations.alphabet)) != nil else { return nil }
    let strings = StringOperations()
    self.init(HeldOutSet(of: strings, count: count), of: strings, tokenizer: tokenizer, temperature: 0)
  }

  /// The share of problems solved.
  func accuracy(of model: AdaptedModel<Float>) throws(TokenizationError) -> Double {
    let options = SamplingOptions(
      temperature: temperature, maximumLength: task.maximumResponseLength, endToken: tokenizer.eos)
    let rollout = try Rollout(
      of: problems, task: task, tokenizer: tokenizer, model: model,
      generators: problems.indices.map { [SeededGenerator(stream: .evaluation, $0)] }, options: options)
    return rollout.meanReward
  }
}
