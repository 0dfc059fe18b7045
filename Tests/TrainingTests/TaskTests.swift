import LinearAlgebra
import Testing
import Training

@Suite struct TaskTests {
  private static func drawn(_ task: some VerifiableTask, _ count: Int, seed: UInt64 = 7) -> [Problem] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in task.problem(&generator) }
  }

  @Test func tasksAreFoundByTheirNames() {
    let graded = ["counting", "modular-sums", "sum-sequences"].flatMap { [$0, $0 + ":2", $0 + ":3"] }
    #expect(TaskRegistry.all.map(\.name) == ["two-step-arithmetic", "string-operations"] + graded)
    #expect(TaskRegistry.task(named: "two-step-arithmetic") is TwoStepArithmetic)
    #expect(TaskRegistry.task(named: "string-operations") is StringOperations)
    #expect(TaskRegistry.task(named: "gsm8k") == nil)
  }

  @Test(arguments: TaskRegistry.all.map(\.name))
  func everyCanonicalResponseIsRightAndFits(name: String) throws {
    let task = try #require(TaskRegistry.task(named: name))
    for problem in Self.drawn(task, 2_000) {
      #expect(problem.prompt.count <= task.maximumPromptLength)
      #expect(!problem.responses.isEmpty)
      for response in problem.responses {
        #expect(try CharacterTokenizer.tasks.encode(response).count + 1 <= task.maximumResponseLength)
        #expect(task.reward(completion: response, isEnded: true, for: problem) == 1)
        #expect(task.reward(completion: response, isEnded: false, for: problem) == 0)
        #expect(task.reward(completion: response + "_", isEnded: true, for: problem) == 0)
        #expect(task.reward(completion: String(response.dropLast()), isEnded: true, for: problem) == 0)
      }
      _ = try CharacterTokenizer.tasks.encode(problem.prompt)
    }
  }

  @Test func theLongestProblemsOfEachTaskFillTheirLengths() throws {
    let arithmetic = Self.drawn(TwoStepArithmetic(), 2_000)
    #expect(arithmetic.map(\.prompt.count).max() == TwoStepArithmetic().maximumPromptLength)
    #expect(arithmetic.flatMap(\.responses).map(\.count).max() == TwoStepArithmetic().maximumResponseLength - 1)
    let strings = Self.drawn(StringOperations(), 2_000)
    #expect(strings.map(\.prompt.count).max() == StringOperations().maximumPromptLength)
    #expect(strings.flatMap(\.responses).map(\.count).max() == StringOperations().maximumResponseLength - 1)
  }
}

// MARK: - Arithmetic

extension TaskTests {
  @Test func arithmeticAsksForAProductAndASum() throws {
    for problem in Self.drawn(TwoStepArithmetic(), 5_000) {
      let match = try #require(problem.prompt.wholeMatch(of: /([1-9][0-9])\*([2-9])\+([1-9][0-9])=/))
      let (a, b, c) = (Int(match.1)!, Int(match.2)!, Int(match.3)!)
      let answer = String(String(a * b + c).reversed())
      #expect(problem.answer == answer)
      #expect(problem.responses == [answer, String(String(a * b).reversed()) + ">" + answer])
    }
  }

  @Test func arithmeticReachesAllItsOperands() {
    let problems = Self.drawn(TwoStepArithmetic(), 5_000)
    // 5000 draws leave one of ninety values out with probability 90·(89/90)⁵⁰⁰⁰ < 10⁻²².
    #expect(Set(problems.map { $0.prompt.prefix(2) }).count == 90)
    #expect(Set(problems.map { $0.prompt.dropFirst(3).prefix(1) }).count == 8)
    #expect(Set(problems.map { $0.prompt.dropFirst(5).prefix(2) }).count == 90)
    #expect(TwoStepArithmetic().problemCount == 64_800)
  }

  /// 12·3 + 45 = 81, so "18" with the last digit first, and "63" for the product.
  @Test(arguments: [
    ("18", true, 1.0), ("63>18", true, 1),
    // What stands before the last ">" does not count.
    ("36>18", true, 1), (">18", true, 1), ("63>99>18", true, 1), ("_>18", true, 1),
    // No end of the sequence.
    ("18", false, 0), ("63>18", false, 0),
    // Nothing, or nothing behind the last ">".
    ("", true, 0), ("63>", true, 0), ("18>", true, 0), (">", true, 0),
    // The right digits in the wrong order, or with others around them.
    ("81", true, 0), ("63>81", true, 0), ("180", true, 0), ("018", true, 0), ("1", true, 0), ("8", true, 0),
    ("118", true, 0), ("18=", true, 0), ("=18", true, 0), ("1_8", true, 0), ("_18", true, 0), ("18_", true, 0),
    ("18>63", true, 0), ("18>18>", true, 0), ("-18", true, 0), ("+18", true, 0), ("1 8", true, 0),
    ("18\u{FFFD}", true, 0),
    // The product alone.
    ("63", true, 0),
  ])
  func theVerifierOfArithmeticIsExact(completion: String, isEnded: Bool, reward: Double) {
    let problem = Self.ends81
    #expect(problem.answer == "18")
    #expect(TwoStepArithmetic().reward(completion: completion, isEnded: isEnded, for: problem) == reward)
  }

  /// 30·5 + 50 = 200: its last digits come first, and zeros are digits.
  @Test(arguments: [("002", 1.0), ("051>002", 1), ("2", 0), ("02", 0), ("200", 0), ("0002", 0), ("0020", 0)])
  func zerosAreDigits(completion: String, reward: Double) {
    let problem = Self.endsInZeros
    #expect(problem.responses == ["002", "051>002"])
    #expect(TwoStepArithmetic().reward(completion: completion, isEnded: true, for: problem) == reward)
  }

  private static let ends81 = problem("12*3+45=", from: TwoStepArithmetic())
  private static let endsInZeros = problem("30*5+50=", from: TwoStepArithmetic())
  private static let reversal = problem("R:abc=", from: StringOperations())

  /// Draws until the task comes to that prompt.
  private static func problem(_ prompt: String, from task: some VerifiableTask) -> Problem {
    var generator = SeededGenerator(seed: 1)
    while true {
      let problem = task.problem(&generator)
      if problem.prompt == prompt { return problem }
    }
  }
}

// MARK: - Strings

extension TaskTests {
  @Test func stringsAreCopiedReversedAndSorted() throws {
    var kinds: [Character: Int] = [:]
    for problem in Self.drawn(StringOperations(), 3_000) {
      let match = try #require(problem.prompt.wholeMatch(of: /([CRS]):([a-h]{3,5})=/))
      let word = String(match.2)
      let expected = ["C": word, "R": String(word.reversed()), "S": String(word.sorted())][String(match.1)]
      #expect(problem.answer == expected)
      kinds[match.1.first!, default: 0] += 1
    }
    // Five standard deviations of 3000 draws at one in three.
    for kind in "CRS" { #expect(abs(kinds[kind, default: 0] - 1_000) < 130) }
    #expect(StringOperations().problemCount == 3 * (512 + 4_096 + 32_768))
  }

  @Test(arguments: [
    ("cba", true, 1.0), ("cba", false, 0), ("", true, 0), ("abc", true, 0), ("cbaa", true, 0), ("cb", true, 0),
    (">cba", true, 0), ("x>cba", true, 0), ("cba_", true, 0), ("c_ba", true, 0),
  ])
  func theVerifierOfStringsIsExact(completion: String, isEnded: Bool, reward: Double) {
    let problem = Self.reversal
    #expect(StringOperations().reward(completion: completion, isEnded: isEnded, for: problem) == reward)
  }
}

// MARK: - Held-out problems

extension TaskTests {
  @Test func heldOutProblemsDifferAndDoNotDependOnTheRun() {
    let heldOut = HeldOutSet(of: TwoStepArithmetic())
    #expect(heldOut.problems.count == 256)
    #expect(Set(heldOut.problems.map(\.prompt)).count == 256)
    #expect(HeldOutSet(of: TwoStepArithmetic()).problems == heldOut.problems)
    #expect(HeldOutSet(of: TwoStepArithmetic(), seed: 1).problems != heldOut.problems)
  }

  /// With half of all problems held out, every second draw would be one of them.
  @Test func trainingNeverSeesAHeldOutProblem() {
    let task = TwoStepArithmetic()
    let heldOut = HeldOutSet(of: task, count: task.problemCount / 2)
    var generator = SeededGenerator(seed: 5)
    let seen = (0..<1_000).map { _ in task.problem(&generator, excluding: heldOut) }
    #expect(!seen.contains { heldOut.contains($0) })
    let examples = (0..<1_000).map { _ in task.example(&generator, excluding: heldOut) }
    let prompts = Set(heldOut.problems.map(\.prompt))
    #expect(!examples.contains { prompts.contains($0.prompt) })
    #expect(Self.drawn(task, 1_000).contains { heldOut.contains($0) })
  }
}

// MARK: - Curriculum

extension TaskTests {
  @Test func theCurriculumMixesItsPartsInTheirShares() throws {
    let heldOut = HeldOutSet(of: TwoStepArithmetic(), count: 20_000)
    let strings = HeldOutSet(of: StringOperations(), count: 20_000)
    let curriculum = Curriculum(excluding: heldOut, strings)
    var generator = SeededGenerator(seed: 11)
    var counts: [String: Int] = [:]
    for _ in 0..<6_000 {
      let example = curriculum.example(&generator)
      counts[try Self.kind(of: example), default: 0] += 1
      let tokens = try CharacterTokenizer.tasks.encode(example.prompt + example.response)
      #expect(tokens.count + 1 <= curriculum.maximumLength)
      for set in [heldOut, strings] {
        #expect(!set.contains(Problem(prompt: example.prompt, answer: "", responses: [])))
      }
    }
    let shares = [
      "string": 0.35, "sum": 0.65 * 0.34, "product": 0.65 * 0.33, "direct": 0.65 * 0.165, "scratchpad": 0.65 * 0.165,
    ]
    for (kind, share) in shares {
      let found = Double(counts[kind, default: 0]) / 6_000
      // Five standard deviations of a share of 6000 draws.
      #expect(abs(found - share) < 5 * (share * (1 - share) / 6_000).squareRoot(), "\(kind): \(found)")
    }
  }

  /// Checks the response of an example and names its kind.
  private static func kind(of example: SupervisedExample) throws -> String {
    func reversed(_ number: Int) -> String { String(String(number).reversed()) }
    let prompt = example.prompt
    if prompt.wholeMatch(of: /[CRS]:[a-h]{3,5}=/) != nil { return "string" }
    if let match = prompt.wholeMatch(of: /([1-9][0-9])\+([1-9][0-9])=/) {
      #expect(example.response == reversed(Int(match.1)! + Int(match.2)!))
      return "sum"
    }
    if let match = prompt.wholeMatch(of: /([1-9][0-9])\*([2-9])=/) {
      #expect(example.response == reversed(Int(match.1)! * Int(match.2)!))
      return "product"
    }
    let match = try #require(prompt.wholeMatch(of: /([1-9][0-9])\*([2-9])\+([1-9][0-9])=/))
    let product = Int(match.1)! * Int(match.2)!
    let answer = reversed(product + Int(match.3)!)
    if example.response == answer { return "direct" }
    #expect(example.response == reversed(product) + ">" + answer)
    return "scratchpad"
  }
}
