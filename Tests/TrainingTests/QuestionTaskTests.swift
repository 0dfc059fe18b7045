import LinearAlgebra
import OrderedCollections
import TestSupport
import Testing
import Training
import Weights

/// Files of questions as tasks.
@Suite struct QuestionTaskTests {
  let folder = try! TemporaryFolder()

  private func file(_ lines: [String]) throws -> String {
    try folder.write("questions.jsonl", lines.map { $0 + "\n" }.joined())
  }

  private static func line(_ question: String, _ answer: String) -> String {
    JSONValue.object(["question": .string(question), "answer": .string(answer), "metadata": ["difficulty": 3]]).text()
  }

  private static let sums = (10..<60).map { line("\($0)+7=", "\($0 + 7)") }

  private func task(
    _ lines: [String], _ kind: AnswerVerifier.Kind = .exact, testShare: Double = QuestionOptions().testShare
  ) throws -> QuestionTask {
    var options = QuestionOptions()
    (options.verifier.kind, options.testShare) = (kind, testShare)
    return try QuestionTask(path: try file(lines), options)
  }

  private func training(_ task: QuestionTask, _ count: Int = 2_000) -> Set<String> {
    var generator = SeededGenerator(seed: 1)
    return Set((0..<count).map { _ in task.problem(&generator).prompt })
  }
}

// MARK: - Reading

extension QuestionTaskTests {
  @Test func questionsAndAnswersAreRead() throws {
    let path = try folder.write(
      "questions.jsonl",
      #"{"question": "1+1=", "answer": " 2 ", "metadata": {"source": [1, null]}}"# + "\r\n\n  \n"
        + #"{"answer": 12, "question": "e\u0301 = "}"# + "\n" + #"{"question": "c", "answer": -0.5}"# + "\n"
        + #"{"question": "d", "answer": 1e3}"# + "\n" + #"{"question": "1+1=", "answer": "2"}"# + "\n"
        + #"{"question": "e", "answer": ""}"#)
    let entries = try QuestionFile(path: path, verifier: AnswerVerifier(.exact)).entries
    #expect(entries.map(\.question) == ["1+1=", "\u{E9} = ", "c", "d", "e"])
    #expect(entries[1].question.unicodeScalars.count == 4)
    #expect(entries.map(\.answer) == ["2", "12", "-0.5", "1000", ""])
    #expect(entries.map(\.line) == [1, 4, 5, 6, 8])
  }

  @Test func theHashIsThatOfTheBytes() throws {
    let path = try folder.write("two.jsonl", Self.line("a", "b") + "\n" + Self.line("c", "d") + "\n")
    var digest = SHA256()
    digest.update([UInt8]((Self.line("a", "b") + "\n" + Self.line("c", "d") + "\n").utf8))
    #expect(try QuestionTask(path: path, QuestionOptions()).sha256 == digest.hexadecimal)
  }

  @Test(arguments: [
    ("{", "expected a JSON object, found other text: "),
    ("[1]", "expected a JSON object, found another value"),
    ("\u{FEFF}{}", "expected a JSON object, found other text: "),
    (#"{"answer": "1"}"#, "expected a question, found none"),
    (#"{"question": 1, "answer": "1"}"#, "expected the question to be a text, found another value"),
    (#"{"question": "", "answer": "1"}"#, "expected a question, found an empty text"),
    (#"{"question": " \n", "answer": "1"}"#, "expected a question, found an empty text"),
    (#"{"question": "1"}"#, "expected an answer, found none"),
    (#"{"question": "1", "answer": null}"#, "expected the answer to be a text or a number, found another value"),
    (#"{"question": "1", "answer": ["1"]}"#, "expected the answer to be a text or a number, found another value"),
    (#"{"question": "1", "answer": 12345678901234567890}"#, "expected an answer that a number can hold exactly"),
    (#"{"question": "1", "answer": 1e300}"#, "expected an answer that a number can hold exactly"),
    (#"{"question": "1", "answer": NaN}"#, "expected a JSON object, found other text: "),
    (
      #"{"question": "a", "answer": "2"}"#,
      #"expected the answer "1", which line 1 gives to the same question, found "2""#
    ),
  ])
  func hostileLinesAreNamed(line: String, problem: String) throws {
    let error = #expect(throws: FileError.self) { try task([Self.line("a", "1"), Self.line("b", "1"), line]) }
    #expect(error?.object == "line 3" && error?.kind == .badContent)
    #expect(error?.problem.hasPrefix(problem) == true, "\(error?.problem ?? "")")
    #expect(error?.remedy.isEmpty == false)
  }

  @Test(arguments: [
    (AnswerVerifier.Kind.integer, "1.5", "a whole number"), (.integer, "", "a whole number"),
    (.numeric, "nan", "a number"), (.numeric, "0x10", "a number"),
  ])
  func answersThatTheVerifierCannotJudgeAreRefused(
    kind: AnswerVerifier.Kind, answer: String, expected: String
  ) throws {
    let error = #expect(throws: FileError.self) { try task([Self.line("a", "1"), Self.line("b", answer)], kind) }
    #expect(error?.object == "line 2")
    #expect(error?.problem == "expected an answer that is \(expected), found \"\(answer)\"")
  }

  @Test(arguments: [[], ["", " "], [line("a", "1")], [line("a", "1"), line("a", "1")]])
  func aFileNeedsTwoQuestions(lines: [String]) throws {
    let error = #expect(throws: FileError.self) { try task(lines) }
    #expect(error?.problem.hasPrefix("expected at least two questions") == true)
  }

  @Test func aMissingFileAndAFolderCannotBeOpened() throws {
    for path in [folder.path("none.jsonl"), folder.path] {
      let error = #expect(throws: FileError.self) { try QuestionTask(path: path, QuestionOptions()) }
      #expect(error?.kind == .cannotOpen)
    }
  }
}

// MARK: - Training and test

extension QuestionTaskTests {
  @Test func theSidesHaveTheirSharesAndNothingInCommon() throws {
    for (share, count) in [(0.2, 10), (0.5, 25), (0.001, 1), (0.999, 49)] {
      let task = try task(Self.sums, testShare: share)
      let test = task.heldOut(count: 1_000).problems.map(\.prompt)
      #expect(test.count == count && task.problemCount == 50)
      #expect(training(task).isDisjoint(with: test))
      #expect(training(task).union(test).count == 50)
      let heldOut = task.heldOut(count: 3)
      #expect(heldOut.problems.map(\.prompt) == Array(test.prefix(3)))
      var generator = SeededGenerator(seed: 1)
      #expect(!test.contains(task.problem(&generator, excluding: heldOut).prompt))
    }
  }

  @Test func neitherTheOrderOfLinesNorARepetitionChangesAnything() throws {
    let plain = try task(Self.sums)
    let shuffled = try task(Self.sums.reversed() + Self.sums.prefix(20))
    #expect(plain.heldOut(count: 100).problems == shuffled.heldOut(count: 100).problems)
    var (a, b) = (SeededGenerator(seed: 4), SeededGenerator(seed: 4))
    for _ in 0..<100 { #expect(plain.problem(&a) == shuffled.problem(&b)) }
  }

  /// SHA-256 of "a" begins with ca, of "b" with 3e, of "c" with 2e.
  @Test func theSplitIsByTheHashOfTheQuestion() throws {
    let lines = ["a", "b", "c"].map { Self.line($0, "1") }
    #expect(try task(lines, testShare: 0.34).heldOut(count: 9).problems.map(\.prompt) == ["c"])
    #expect(try task(lines, testShare: 0.67).heldOut(count: 9).problems.map(\.prompt) == ["c", "b"])
  }

  @Test func rewardsNeedAnEndAndARightAnswer() throws {
    let task = try task(Self.sums, .integer)
    let problem = task.heldOut(count: 1).problems[0]
    #expect(task.reward(completion: problem.answer, isEnded: true, for: problem) == 1)
    #expect(task.reward(completion: "0" + problem.answer, isEnded: true, for: problem) == 1)
    #expect(task.reward(completion: problem.answer, isEnded: false, for: problem) == 0)
    #expect(task.reward(completion: "", isEnded: true, for: problem) == 0)
  }
}

// MARK: - Bases

extension QuestionTaskTests {
  @Test func theVocabularyIsThatOfTheFile() throws {
    let vocabulary = try task([Self.line("b+a", "2"), Self.line("é", "1")]).vocabulary
    #expect(String(String.UnicodeScalarView(vocabulary.characters)) == "_+12ab\u{E9};")
    #expect(vocabulary.decode([vocabulary.pad, vocabulary.eos]) == "_;")
    // Where the file holds the characters that fill and end, others do.
    let taken = try task([Self.line("_", ";"), Self.line("\u{F0000}", "1")]).vocabulary
    #expect(taken.decode([taken.pad, taken.eos]) == "\u{F0001}\u{100000}")
    #expect(try taken.encode("_;\u{F0000}1").count == 4)
  }

  @Test func lengthsComeFromTheFile() throws {
    let lines = [Self.line("aaaa", "1"), Self.line("b", "1234567")]
    let plain = try task(lines)
    #expect(plain.maximumPromptLength == 4 && plain.maximumResponseLength == 8)
    #expect(try task(lines, .boxed).maximumResponseLength == 16)
    #expect(PretrainingConfiguration().decoder(for: plain).maximumLength == 256)
    let long = try task([Self.line(String(repeating: "a", count: 300), "1"), Self.line("b", "1")])
    #expect(PretrainingConfiguration().decoder(for: long).maximumLength == 302)
  }

  @Test func whatDoesNotFitABaseIsNamed() throws {
    func problem(_ lines: [String], maximum: Int = 20) throws -> String {
      let task = try task([Self.line("1+1=", "2")] + lines)
      let error = #expect(throws: FileError.self) { try task.check(.tasks, maximumLength: maximum) }
      #expect(error?.object == "line 2" && error?.kind == .badContent)
      return error?.problem ?? ""
    }
    let vocabulary = #"of the base's characters "_0123456789+-*=>;:RSCabcdefgh", found"#
    #expect(try problem([Self.line("1+x=", "2")]) == #"expected a question \#(vocabulary) "x" at position 2 of "1+x=""#)
    #expect(try problem([Self.line("1-1=", "O")]) == #"expected an answer \#(vocabulary) "O" at position 0 of "O""#)
    #expect(
      try problem([Self.line("1-1=", "0;0")])
        == #"expected an answer without ";", which ends a response of this base, found one"#)
    #expect(
      try problem([Self.line("1+1+1+1=", "4")], maximum: 9)
        == "expected at most 9 tokens, for which the base is made, found 10 in question, answer and end")
    #expect(
      try problem([Self.line("1+1+1+1=", "4"), Self.line("5+5=", "10")], maximum: 10)
        == "expected at most 10 tokens, for which the base is made, found 11 in the question and the longest answer of the file "
        + "with its end")
  }

  /// The box is a part of what the model has to write.
  @Test func aBaseWithoutBracesCannotWriteBoxes() throws {
    let task = try task(Self.sums, .boxed)
    let error = #expect(throws: FileError.self) { try task.check(.tasks, maximumLength: 99) }
    #expect(error?.object == "line 1")
    #expect(error?.problem.hasSuffix(#"found "\" at position 0 of "\boxed{17}""#) == true, "\(error?.problem ?? "")")
  }

  @Test func whatFitsIsAccepted() throws {
    let task = try task(Self.sums)
    try task.check(.tasks, maximumLength: 8)
    try task.check(task.vocabulary, maximumLength: 8)
  }

  /// A few steps of each kind of training, on a base that the file's own characters make.
  @Test func aBaseLearnsAFileAndIsTrainedOnIt() throws {
    var configuration = PretrainingConfiguration()
    (configuration.hiddenSize, configuration.headCount, configuration.keyValueHeadCount) = (16, 2, 1)
    (configuration.intermediateSize, configuration.layerCount) = (24, 1)
    (configuration.steps, configuration.batchSize) = (20, 16)
    let questions = try task(Self.sums.map { $0.replacing("+", with: " plus ") })
    var reports: [Pretraining.Progress] = []
    let model = try Pretraining(configuration, task: questions, threads: 1).run(report: { reports.append($0) })
    let base = try #require(model)
    #expect(base.tokenizer == questions.vocabulary)
    // The base has no letters of the string tasks.
    #expect(reports.last?.accuracy != nil && reports.last?.retention == nil)
    var training = TrainingConfiguration()
    (training.task, training.steps, training.prompts, training.groupSize) = (questions.name, 2, 2, 2)
    let opened = try training.openTask(for: base)
    #expect(training.taskSHA256 == questions.sha256)
    #expect(training.json["task_sha256"] == .string(questions.sha256) && training.json["verifier"] == "exact")
    #expect(training.json["tolerance"] == 1e-6 && training.json["test_share"] == 0.2)
    let recorder = Recorder()
    for objective in TrainingConfiguration.Objective.allCases {
      training.objective = objective
      _ = try Trainer(training, base: base, task: opened, threads: 1, observer: recorder).run()
    }
    #expect(recorder.records.count == 3 * TrainingConfiguration.Objective.allCases.count)
    #expect(recorder.records.allSatisfy { $0["retention"] == nil })
    #expect(recorder.records[0]["accuracy"] != nil)
  }

  private final class Recorder: TrainingObserver {
    var records: [TrainingRecord] = []
    func didFinish(_ record: TrainingRecord) throws(FileError) { records.append(record) }
  }

  @Test func aBuiltInTaskRecordsNothingOfFiles() {
    let json = TrainingConfiguration().json
    for name in ["task_sha256", "verifier", "tolerance", "test_share"] { #expect(json[name] == .null) }
  }
}
