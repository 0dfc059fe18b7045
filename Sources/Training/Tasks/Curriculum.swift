import LinearAlgebra

/// The supervised mix from which a base learns: strings, sums, products, and both in two steps.
///
/// It leaves the two-step task half learned, so that reinforcement learning has something to gain, and the strings fully
/// learned, so that there is something to forget.
package struct Curriculum: Sendable {
  /// How often an example is about strings.
  package var stringShare = 0.35
  /// How often arithmetic is one sum.
  package var sumShare = 0.34
  /// How often arithmetic is one product.
  package var productShare = 0.33
  private let heldOutArithmetic: HeldOutSet
  private let heldOutStrings: HeldOutSet
  private let arithmetic = TwoStepArithmetic()
  private let strings = StringOperations()

  /// The mix without the problems that are held out of either task.
  package init(excluding arithmetic: HeldOutSet, _ strings: HeldOutSet) {
    heldOutArithmetic = arithmetic
    heldOutStrings = strings
  }

  /// The longest example, in tokens, its end included.
  package var maximumLength: Int {
    max(
      arithmetic.maximumPromptLength + arithmetic.maximumResponseLength,
      strings.maximumPromptLength + strings.maximumResponseLength)
  }

  /// Draws an example.
  package func example(_ generator: inout SeededGenerator) -> SupervisedExample {
    if generator.uniform() < stringShare { return strings.example(&generator, excluding: heldOutStrings) }
    let kind = generator.uniform()
    if kind < sumShare { return Self.sum(&generator) }
    if kind < sumShare + productShare { return Self.product(&generator) }
    return arithmetic.example(&generator, excluding: heldOutArithmetic)
  }

  private static func sum(_ generator: inout SeededGenerator) -> SupervisedExample {
    let (a, b) = (TwoStepArithmetic.twoDigits(&generator), TwoStepArithmetic.twoDigits(&generator))
    return SupervisedExample(prompt: "\(a)+\(b)=", response: TwoStepArithmetic.reversedDigits(a + b))
  }

  private static func product(_ generator: inout SeededGenerator) -> SupervisedExample {
    let (a, b) = (TwoStepArithmetic.twoDigits(&generator), TwoStepArithmetic.oneDigit(&generator))
    return SupervisedExample(prompt: "\(a)*\(b)=", response: TwoStepArithmetic.reversedDigits(a * b))
  }
}
