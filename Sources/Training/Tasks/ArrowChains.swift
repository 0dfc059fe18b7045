import LinearAlgebra

/// `a2:cbacbdda=`: each pair of letters is an arrow, here c → b, a → c, b → d and d → a; where do two steps from a lead? The arrows
/// make one ring. The level decides their number and that of the steps: 4 and 2, 5 and 3, or 6 and 4.
///
/// The letters on the way may be written down: `c>b`. What stands behind the last `>` counts.
package struct ArrowChains: VerifiableTask {
  /// From the easiest on.
  package static let levels: [any VerifiableTask] = (1...3).map { ArrowChains(level: $0) }

  package let name: String
  package let summary: String
  package let maximumPromptLength: Int
  package let maximumResponseLength: Int
  private let arrowCount: Int
  private let stepCount: Int

  private static let letters = Array("abcdefgh")

  /// - Parameter level: from 1 to 3.
  package init(level: Int = 1) {
    (arrowCount, stepCount) = (3 + level, 1 + level)
    name = TaskRegistry.name("arrow-chains", level: level)
    summary = "where \(stepCount) steps along \(arrowCount) arrows lead, such as a2:cbacbdda="
    maximumPromptLength = 2 * arrowCount + 4
    maximumResponseLength = 2 * stepCount
  }

  package var curriculum: CurriculumShares { CurriculumShares(strings: 0.35, sums: 0.2, products: 0.2) }

  /// The rings with their starts, each with its arrows in any order.
  package var problemCount: Int {
    (0..<arrowCount).reduce(1) { problems, index in problems * (Self.letters.count - index) * (index + 1) }
  }

  package func problem(_ generator: inout SeededGenerator) -> Problem {
    let ring = generator.shuffled(Self.letters).prefix(arrowCount)
    let arrows = generator.shuffled(zip(ring, ring.dropFirst() + ring.prefix(1)).map { String([$0, $1]) })
    let steps = ring.dropFirst().prefix(stepCount).map { String($0) }
    return Problem(
      prompt: "\(ring[0])\(stepCount):\(arrows.joined())=", answer: steps.last!,
      responses: [steps.last!, steps.joined(separator: ">")])
  }

  package func reward(completion: String, isEnded: Bool, for problem: Problem) -> Double {
    isEnded && problem.isAnswered(by: completion) ? 1 : 0
  }
}
