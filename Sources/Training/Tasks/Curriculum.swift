import LinearAlgebra

/// What else a base learns beside its task, each as a share of all examples.
package struct CurriculumShares: Equatable, Sendable {
  /// Strings, so that there is something to forget.
  package var strings: Double
  /// One sum, of what is not about strings.
  package var sums: Double
  /// One product, of what is not about strings.
  package var products: Double

  package init(strings: Double, sums: Double, products: Double) {
    (self.strings, self.sums, self.products) = (strings, sums, products)
  }

  /// The task alone.
  package static let none = CurriculumShares(strings: 0, sums: 0, products: 0)
}

/// The supervised mix from which a base learns: strings, sums, products, and the task for which it is made. Unless another is named
/// that is arithmetic in two steps.
///
/// It leaves the task half learned, so that reinforcement learning has something to gain, and the strings fully learned, so that there
/// is something to forget.
package struct Curriculum: Sendable {
  private let shares: CurriculumShares
  private let task: any VerifiableTask
  private let heldOut: HeldOutSet
  private let heldOutStrings: HeldOutSet
  private let strings = StringOperations()

  /// The mix without the problems that are held out of the task or of the strings.
  package init(
    of task: any VerifiableTask = TwoStepArithmetic(), excluding heldOut: HeldOutSet, _ strings: HeldOutSet
  ) {
    self.task = task
    self.heldOut = heldOut
    shares = task.curriculum
    heldOutStrings = strings
  }

  /// The longest example, in tokens, its end included.
  package var maximumLength: Int {
    max(
      task.maximumPromptLength + task.maximumResponseLength,
      strings.maximumPromptLength + strings.maximumResponseLength)
  }

  /// Draws an example.
  package func example(_ generator: inout SeededGenerator) -> SupervisedExample {
    if generator.uniform() < shares.strings { return strings.example(&generator, excluding: heldOutStrings) }
    let kind = generator.uniform()
    if kind < shares.sums { return Self.sum(&generator) }
    if kind < shares.sums + shares.products { return Self.product(&generator) }
    return task.example(&generator, excluding: heldOut)
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
