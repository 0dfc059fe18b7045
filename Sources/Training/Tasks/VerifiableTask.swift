import LinearAlgebra

/// A question with an answer that a program can check.
package struct Problem: Equatable, Sendable {
  /// What the model is given.
  package let prompt: String
  /// What its response must come to, as it is to be written.
  package let answer: String
  /// The responses that a supervised example may show, without the end of the sequence; the shortest is first.
  package let responses: [String]

  /// A problem with its answer and the responses that come to it.
  package init(prompt: String, answer: String, responses: [String]) {
    self.prompt = prompt
    self.answer = answer
    self.responses = responses
  }

  /// Whether what stands behind the last `>` of a completion is the answer and nothing else: intermediate results may stand before it.
  func isAnswered(by completion: String) -> Bool {
    completion.split(separator: ">", omittingEmptySubsequences: false).last == answer[...]
  }
}

/// A prompt and the response to learn, without the end of the sequence.
package struct SupervisedExample: Equatable, Sendable {
  package let prompt: String
  package let response: String
}

/// A source of problems and their verifier: a task for reinforcement learning with verifiable rewards.
package protocol VerifiableTask: Sendable {
  /// The name on the command line.
  var name: String { get }
  /// What the task asks for, in one line.
  var summary: String { get }
  /// How many prompts there are.
  var problemCount: Int { get }
  /// The longest prompt, in characters.
  var maximumPromptLength: Int { get }
  /// The longest response that a problem needs, in tokens, its end included.
  var maximumResponseLength: Int { get }

  /// What else a base learns that is made for this task.
  var curriculum: CurriculumShares { get }
  /// The characters of such a base.
  var vocabulary: CharacterTokenizer { get }

  /// Draws a problem.
  func problem(_ generator: inout SeededGenerator) -> Problem

  /// At most `count` problems that training never sees.
  func heldOut(count: Int) -> HeldOutSet

  /// 1 for a right response and 0 for any other.
  ///
  /// `completion` is the text before the end of the sequence; `isEnded` says whether the model produced that end, without
  /// which no response is right.
  func reward(completion: String, isEnded: Bool, for problem: Problem) -> Double
}

extension VerifiableTask {
  package var curriculum: CurriculumShares { CurriculumShares(strings: 0.35, sums: 0.34, products: 0.33) }
  package var vocabulary: CharacterTokenizer { .tasks }

  package func heldOut(count: Int) -> HeldOutSet { HeldOutSet(of: self, count: count) }

  /// Draws a problem that is not held out. At most half of the task's problems are, so that a few draws are enough.
  package func problem(_ generator: inout SeededGenerator, excluding heldOut: HeldOutSet) -> Problem {
    while true {
      let problem = problem(&generator)
      if !heldOut.contains(problem) { return problem }
    }
  }

  /// Draws a problem that is not held out, and one of its responses, each as likely.
  package func example(_ generator: inout SeededGenerator, excluding heldOut: HeldOutSet) -> SupervisedExample {
    let problem = problem(&generator, excluding: heldOut)
    let response = problem.responses[generator.integer(in: 0..<problem.responses.count)]
    return SupervisedExample(prompt: problem.prompt, response: response)
  }
}
