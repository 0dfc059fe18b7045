import LinearAlgebra
import Testing
import Training

/// The tasks of graded difficulty, their answers computed once more from the prompt.
@Suite struct GradedTaskTests {
  private static func drawn(_ name: String, _ count: Int = 3_000, seed: UInt64 = 7) throws -> [Problem] {
    let task = try #require(TaskRegistry.task(named: name))
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in task.problem(&generator) }
  }

  @Test func levelsAreFoundByTheirNames() throws {
    for family in ["counting", "modular-sums", "sum-sequences"] {
      for (wished, name) in [("", family), (":1", family), (":2", family + ":2"), (":3", family + ":3")] {
        #expect(TaskRegistry.task(named: family + wished)?.name == name)
      }
      for other in [":0", ":4", ":", ":01", ":2:1", ":1:1", ":-1", " ", ":a"] {
        #expect(TaskRegistry.task(named: family + other) == nil, "\(family + other)")
      }
    }
    #expect(TaskRegistry.task(named: "two-step-arithmetic:1") == nil)
    #expect(TaskRegistry.task(named: "") == nil)
  }

  @Test(arguments: TaskRegistry.all.map(\.name))
  func problemsAreShortAndFillTheirLengths(name: String) throws {
    let task = try #require(TaskRegistry.task(named: name))
    let problems = try Self.drawn(name)
    #expect(problems.map(\.prompt.count).max() == task.maximumPromptLength)
    #expect(problems.flatMap(\.responses).map { $0.count + 1 }.max() == task.maximumResponseLength)
    #expect(task.maximumPromptLength + task.maximumResponseLength <= 24)
    #expect(problems == (try Self.drawn(name)))
    #expect(problems != (try Self.drawn(name, seed: 8)))
  }

  @Test(arguments: TaskRegistry.all.map(\.name))
  func heldOutProblemsAreNeverDrawn(name: String) throws {
    let task = try #require(TaskRegistry.task(named: name))
    let heldOut = task.heldOut(count: HeldOutSet.defaultCount)
    #expect(Set(heldOut.problems.map(\.prompt)).count == HeldOutSet.defaultCount)
    #expect(task.heldOut(count: HeldOutSet.defaultCount).problems == heldOut.problems)
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<1_000 { #expect(!heldOut.contains(task.problem(&generator, excluding: heldOut))) }
  }

  @Test(arguments: [("counting", 6), ("counting:2", 9), ("counting:3", 12)])
  func countingCounts(name: String, length: Int) throws {
    var answers: [Int: Int] = [:]
    for problem in try Self.drawn(name) {
      let match = try #require(problem.prompt.wholeMatch(of: /([a-h]):([a-h]+)=/))
      let (letter, word) = (match.1.first!, String(match.2))
      let count = word.count { $0 == letter }
      #expect(word.count == length)
      #expect(problem.answer == "\(count)")
      #expect(problem.responses == ["\(count)", word.filter { $0 == letter } + ">\(count)"])
      answers[count, default: 0] += 1
    }
    // Five standard deviations of 3000 draws at one in five.
    #expect(answers.keys.sorted() == [1, 2, 3, 4, 5] && answers.values.allSatisfy { abs($0 - 600) < 110 })
  }

  /// All words of six letters of eight in which the first letter is once to five times: all but those without it, and the one of it alone.
  @Test func everyCountedWordIsCounted() {
    #expect(Counting().problemCount == 8 * (262_144 - 117_649 - 1))
  }

  @Test(arguments: [("modular-sums", 4, 5), ("modular-sums:2", 5, 7), ("modular-sums:3", 6, 9)])
  func modularSumsAreRemainders(name: String, count: Int, modulus: Int) throws {
    for problem in try Self.drawn(name) {
      let match = try #require(problem.prompt.wholeMatch(of: /([579]):([0-9+]+)=/))
      #expect(Int(match.1) == modulus)
      let terms = match.2.split(separator: "+").map { Int($0)! }
      #expect(terms.count == count && terms.allSatisfy { (0...9).contains($0) })
      let remainders = (2...count).map { terms.prefix($0).reduce(0, +) % modulus }
      #expect(problem.answer == "\(remainders.last!)")
      #expect(problem.responses == [problem.answer, remainders.map(String.init).joined(separator: ">")])
    }
    #expect(TaskRegistry.task(named: name)?.problemCount == [4: 10_000, 5: 100_000, 6: 1_000_000][count]!)
  }

  @Test(arguments: [("sum-sequences", 2), ("sum-sequences:2", 3), ("sum-sequences:3", 4)])
  func sequencesGoOn(name: String, count: Int) throws {
    for problem in try Self.drawn(name) {
      let match = try #require(problem.prompt.wholeMatch(of: /([234]):([1-9][0-9]):([1-9][0-9])=/))
      #expect(Int(match.1) == count)
      let (a, b) = (Int(match.2)!, Int(match.3)!)
      // Fibonacci's numbers are the coefficients.
      let next = [a + b, a + 2 * b, 2 * a + 3 * b, 3 * a + 5 * b].prefix(count)
      let reversed = next.map { String(String($0).reversed()) }
      #expect(problem.responses == [reversed.last!, reversed.joined(separator: ">")])
      #expect(problem.answer == reversed.last)
    }
    #expect(TaskRegistry.task(named: name)?.problemCount == 8_100)
  }

  @Test(arguments: ["counting", "modular-sums", "sum-sequences"])
  func whatStandsBehindTheLastMarkCounts(name: String) throws {
    let task = try #require(TaskRegistry.task(named: name))
    for problem in try Self.drawn(name, 200) {
      let answer = problem.answer
      for right in [answer, ">" + answer, "9>99>" + answer] {
        #expect(task.reward(completion: right, isEnded: true, for: problem) == 1)
        #expect(task.reward(completion: right, isEnded: false, for: problem) == 0)
      }
      for wrong in ["", ">", answer + ">", "0" + answer, answer + "0", "-" + answer, answer + "=", "_" + answer] {
        #expect(task.reward(completion: wrong, isEnded: true, for: problem) == 0, "\(wrong)")
      }
    }
  }

  /// The share of the task is what strings, sums and products leave.
  @Test(arguments: TaskRegistry.all.map(\.name))
  func theCurriculumOfATaskHoldsItsShare(name: String) throws {
    let task = try #require(TaskRegistry.task(named: name))
    let heldOut = task.heldOut(count: HeldOutSet.defaultCount)
    let curriculum = Curriculum(of: task, excluding: heldOut, HeldOutSet(of: StringOperations()))
    var generator = SeededGenerator(seed: 11)
    var count = 0
    for _ in 0..<4_000 {
      let prompt = curriculum.example(&generator).prompt
      #expect(!heldOut.contains(Problem(prompt: prompt, answer: "", responses: [])))
      let isPractice = prompt.wholeMatch(of: /[CRS]:[a-h]+=|[0-9]+[*+][0-9]+=/) != nil
      if !isPractice { count += 1 }
    }
    let shares = task.curriculum
    let share = name == "string-operations" ? 0 : (1 - shares.strings) * (1 - shares.sums - shares.products)
    // Five standard deviations of a share of 4000 draws.
    #expect(abs(Double(count) / 4_000 - share) <= 5 * (share * (1 - share) / 4_000).squareRoot(), "\(count)")
  }
}
