import LinearAlgebra

/// `7:4+6+3+2+5=`: the remainder of a sum of digits, here 20, on division by the number before the colon. The level decides both: 4
/// digits and 5, 5 digits and 7, or 6 digits and 9.
///
/// The remainders on the way may be written down: `3>6>1>6`. What stands behind the last `>` counts.
package struct ModularSums: VerifiableTask {
  /// From the easiest on.
  package static let levels: [any VerifiableTask] = (1...3).map { ModularSums(level: $0) }

  package let name: String
  package let summary: String
  package let maximumPromptLength: Int
  package let maximumResponseLength: Int
  private let modulus: Int
  private let count: Int

  private static let digits = 0..<10

  /// - Parameter level: from 1 to 3.
  package init(level: Int = 1) {
    (modulus, count) = (3 + 2 * level, 3 + level)
    name = TaskRegistry.name("modular-sums", level: level)
    summary = "the remainder of a sum of \(count) digits on division by \(modulus), such as 7:4+6+3+2+5="
    maximumPromptLength = 2 * count + 2
    // A remainder behind each digit but the first, marks between them, and the end.
    maximumResponseLength = 2 * (count - 1)
  }

  package var curriculum: CurriculumShares { CurriculumShares(strings: 0.35, sums: 0.2, products: 0.2) }

  package var problemCount: Int {
    (0..<count).reduce(1) { problems, _ in problems * Self.digits.count }
  }

  package func problem(_ generator: inout SeededGenerator) -> Problem {
    let terms = (0..<count).map { _ in generator.integer(in: Self.digits) }
    var sum = terms[0]
    let remainders = terms.dropFirst().map { term in
      sum += term
      return String(sum % modulus)
    }
    return Problem(
      prompt: "\(modulus):\(terms.map(String.init).joined(separator: "+"))=", answer: remainders.last!,
      responses: [remainders.last!, remainders.joined(separator: ">")])
  }

  package func reward(completion: String, isEnded: Bool, for problem: Problem) -> Double {
    isEnded && problem.isAnswered(by: completion) ? 1 : 0
  }
}
