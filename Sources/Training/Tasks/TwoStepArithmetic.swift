import LinearAlgebra

/// `ab*c+de=` with two-digit a b and d e and one-digit c from 2 on: a product and a sum.
///
/// Numbers are answered least significant digit first, which lets a small model carry as it writes. The product may be
/// written down first: `product>answer`. What stands behind the last `>` counts, and nothing before it.
package struct TwoStepArithmetic: VerifiableTask {
  package let name = "two-step-arithmetic"
  package let summary = "a product and a sum, such as 12*3+45=, answered with the last digit first"
  package let maximumPromptLength = 8
  package let maximumResponseLength = 8

  package init() {}

  package var problemCount: Int { 90 * 8 * 90 }

  package func problem(_ generator: inout SeededGenerator) -> Problem {
    let (a, b, c) = (Self.twoDigits(&generator), Self.oneDigit(&generator), Self.twoDigits(&generator))
    let product = Self.reversedDigits(a * b)
    let answer = Self.reversedDigits(a * b + c)
    return Problem(prompt: "\(a)*\(b)+\(c)=", answer: answer, responses: [answer, product + ">" + answer])
  }

  package func reward(completion: String, isEnded: Bool, for problem: Problem) -> Double {
    isEnded && problem.isAnswered(by: completion) ? 1 : 0
  }

  static func twoDigits(_ generator: inout SeededGenerator) -> Int { generator.integer(in: 10..<100) }
  /// From 2 on: a product with 1 asks for nothing.
  static func oneDigit(_ generator: inout SeededGenerator) -> Int { generator.integer(in: 2..<10) }

  /// The decimal digits, the least significant first.
  static func reversedDigits(_ number: Int) -> String { String(String(number).reversed()) }
}
