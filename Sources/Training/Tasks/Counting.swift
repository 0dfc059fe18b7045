import LinearAlgebra

/// `a:hagcab=`: how often is the letter before the colon in the word behind it? Once to five times, each as likely, so that no
/// answer is a good guess. The level decides how long the word is: 6, 9 or 12 letters.
///
/// The letter may be written down as often as it is found: `aa>2`. What stands behind the last `>` counts.
package struct Counting: VerifiableTask {
  /// From the easiest on.
  package static let levels: [any VerifiableTask] = (1...3).map { Counting(level: $0) }

  package let name: String
  package let summary: String
  package let maximumPromptLength: Int
  package let maximumResponseLength = counts.count + 3
  private let length: Int

  private static let letters = Array("abcdefgh")
  private static let counts = 1..<6

  /// - Parameter level: from 1 to 3.
  package init(level: Int = 1) {
    length = 3 + 3 * level
    name = TaskRegistry.name("counting", level: level)
    summary = "how often a letter is among \(length), such as a:hagcab="
    maximumPromptLength = length + 3
  }

  package var curriculum: CurriculumShares { CurriculumShares(strings: 0.35, sums: 0.4, products: 0.4) }

  /// Letters, and for each the words in which it is as often as it may be.
  package var problemCount: Int {
    let others = Self.letters.count - 1
    let words = Self.counts.map { count in
      // Places for the letter, times what can stand at the others.
      let places = (0..<count).reduce(1) { $0 * (length - $1) / ($1 + 1) }
      return (count..<length).reduce(places) { words, _ in words * others }
    }
    return Self.letters.count * words.reduce(0, +)
  }

  package func problem(_ generator: inout SeededGenerator) -> Problem {
    let letter = Self.letters[generator.integer(in: 0..<Self.letters.count)]
    let others = Self.letters.filter { $0 != letter }
    let count = generator.integer(in: Self.counts)
    var missing = count
    let word = (0..<length).map { position in
      // Each choice of places is as likely: so many are still missing among the places that are left.
      let isFound = generator.integer(in: 0..<length - position) < missing
      if isFound { missing -= 1 }
      return isFound ? letter : others[generator.integer(in: 0..<others.count)]
    }
    let (answer, found) = (String(count), String(repeating: letter, count: count))
    return Problem(prompt: "\(letter):\(String(word))=", answer: answer, responses: [answer, found + ">" + answer])
  }

  package func reward(completion: String, isEnded: Bool, for problem: Problem) -> Double {
    isEnded && problem.isAnswered(by: completion) ? 1 : 0
  }
}
