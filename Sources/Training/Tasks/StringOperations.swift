import LinearAlgebra

/// Copy (`C:`), reverse (`R:`) or sort (`S:`) three to five letters.
///
/// Reinforcement learning on arithmetic never asks for these, so that they show what a run forgets.
package struct StringOperations: VerifiableTask {
  package let name = "string-operations"
  package let summary = "copy, reverse or sort a few letters, such as R:abc="
  package let maximumPromptLength = 8
  package let maximumResponseLength = 6

  private static let letters = Array("abcdefgh")
  private static let lengths = 3..<6

  private enum Operation: String, CaseIterable {
    case copy = "C"
    case reverse = "R"
    case sort = "S"

    func callAsFunction(_ word: [Character]) -> String {
      switch self {
      case .copy: String(word)
      case .reverse: String(word.reversed())
      case .sort: String(word.sorted())
      }
    }
  }

  package init() {}

  /// Every character of a problem or its answer.
  static let alphabet = Operation.allCases.map(\.rawValue).joined() + ":=" + String(letters)

  package var problemCount: Int {
    let words = Self.lengths.map { length in (0..<length).reduce(1) { count, _ in count * Self.letters.count } }
    return Operation.allCases.count * words.reduce(0, +)
  }

  package func problem(_ generator: inout SeededGenerator) -> Problem {
    let length = generator.integer(in: Self.lengths)
    let word = (0..<length).map { _ in Self.letters[generator.integer(in: 0..<Self.letters.count)] }
    let operation = Operation.allCases[generator.integer(in: 0..<Operation.allCases.count)]
    let answer = operation(word)
    return Problem(prompt: "\(operation.rawValue):\(String(word))=", answer: answer, responses: [answer])
  }

  package func reward(completion: String, isEnded: Bool, for problem: Problem) -> Double {
    isEnded && completion == problem.answer ? 1 : 0
  }
}
