import LinearAlgebra

/// `2:12:15=`: in a sequence each number is the sum of the two before it; which one is the second behind these two? The level decides
/// how far it goes: to the second, third or fourth.
///
/// Numbers are answered least significant digit first. Those on the way may be written down: `72>24`. What stands behind the last `>`
/// counts.
package struct SumSequences: VerifiableTask {
  /// From the easiest on.
  package static let levels: [any VerifiableTask] = (1...3).map { SumSequences(level: $0) }

  package let name: String
  package let summary: String
  package let maximumPromptLength = 8
  package let maximumResponseLength: Int
  private let count: Int

  /// - Parameter level: from 1 to 3.
  package init(level: Int = 1) {
    count = 1 + level
    name = TaskRegistry.name("sum-sequences", level: level)
    summary = "the number \(count) places on where each is the sum of two, such as 2:12:15=, last digit first"
    // No number has more than three digits.
    maximumResponseLength = 4 * count
  }

  package var curriculum: CurriculumShares { CurriculumShares(strings: 0.35, sums: 0.3, products: 0) }

  package var problemCount: Int { 90 * 90 }

  package func problem(_ generator: inout SeededGenerator) -> Problem {
    let first = (TwoStepArithmetic.twoDigits(&generator), TwoStepArithmetic.twoDigits(&generator))
    var last = first
    let numbers = (0..<count).map { _ in
      last = (last.1, last.0 + last.1)
      return TwoStepArithmetic.reversedDigits(last.1)
    }
    return Problem(
      prompt: "\(count):\(first.0):\(first.1)=", answer: numbers.last!,
      responses: [numbers.last!, numbers.joined(separator: ">")])
  }

  package func reward(completion: String, isEnded: Bool, for problem: Problem) -> Double {
    isEnded && problem.isAnswered(by: completion) ? 1 : 0
  }
}
