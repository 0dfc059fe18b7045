import Foundation
import LinearAlgebra
import Weights

/// The questions of a file as a task.
///
/// Which questions are held out depends on their texts alone, not on a seed or the order of the lines: the questions are ordered by
/// the SHA-256 of their text, and the first are the test side.
package struct QuestionTask: VerifiableTask {
  /// The file's path.
  package let name: String
  package let summary = "the questions of a file"
  package let problemCount: Int
  package let maximumPromptLength: Int
  package let maximumResponseLength: Int
  /// A base for these questions learns nothing else.
  package let curriculum = CurriculumShares.none
  package let vocabulary: CharacterTokenizer
  /// By the hash of their questions; never empty.
  private let training: [Problem]
  private let test: [Problem]
  private let verifier: AnswerVerifier
  private let file: QuestionFile

  /// Opens a file of questions.
  ///
  /// - Throws: as `QuestionFile.init(path:verifier:)`.
  package init(path: String, _ options: QuestionOptions) throws(FileError) {
    file = try QuestionFile(path: path, verifier: options.verifier)
    (name, verifier) = (path, options.verifier)
    let problems = Self.problems(file, options.verifier)
    let wished = (options.testShare * Double(problems.count)).rounded()
    // One on each side at least.
    let testCount = min(max(1, Int(wished)), problems.count - 1)
    (test, training) = (Array(problems[..<testCount]), Array(problems[testCount...]))
    problemCount = problems.count
    maximumPromptLength = problems.map(\.prompt.unicodeScalars.count).max()!
    maximumResponseLength = problems.map { $0.responses[0].unicodeScalars.count + 1 }.max()!
    vocabulary = CharacterTokenizer(holding: problems.flatMap { [$0.prompt] + $0.responses })
  }

  /// The SHA-256 of the file's bytes.
  package var sha256: String { file.sha256 }

  private static func problems(_ file: QuestionFile, _ verifier: AnswerVerifier) -> [Problem] {
    let hashed = file.entries.map { entry in
      var digest = SHA256()
      digest.update([UInt8](entry.question.utf8))
      return (hash: digest.hexadecimal, entry: entry)
    }
    return hashed.sorted { $0.hash < $1.hash }.map { _, entry in
      Problem(prompt: entry.question, answer: entry.answer, responses: [verifier.response(showing: entry.answer)])
    }
  }

  /// Draws a question of the training side.
  package func problem(_ generator: inout SeededGenerator) -> Problem {
    training[generator.integer(in: 0..<training.count)]
  }

  /// The first questions of the test side, or all that there are.
  package func heldOut(count: Int) -> HeldOutSet { HeldOutSet(test.prefix(count)) }

  package func reward(completion: String, isEnded: Bool, for problem: Problem) -> Double {
    isEnded && verifier.isRight(completion, answer: problem.answer) ? 1 : 0
  }
}

// MARK: - Fitting a base

extension QuestionTask {
  /// Checks that a base can read every question and write every answer.
  ///
  /// - Throws: `.badContent` with the first line that has a character without a token, an answer that holds the end of the sequence, or
  ///   more tokens than the base is made for.
  package func check(_ tokenizer: CharacterTokenizer, maximumLength: Int) throws(FileError) {
    for entry in file.entries {
      let response = verifier.response(showing: entry.answer)
      try checkCharacters(entry, "a question", entry.question, tokenizer)
      try checkCharacters(entry, "an answer", response, tokenizer)
      let end = tokenizer.characters[Int(tokenizer.eos)]
      if response.unicodeScalars.contains(end) {
        throw wrong(
          entry,
          "expected an answer without \(FileError.quoted(String(end))), which ends a response of this base, found one")
      }
      try checkLength(entry, response, maximumLength)
    }
  }

  private func checkCharacters(
    _ entry: QuestionFile.Entry, _ part: String, _ text: String, _ tokenizer: CharacterTokenizer
  ) throws(FileError) {
    do throws(TokenizationError) {
      _ = try tokenizer.encode(text)
    } catch {
      let vocabulary = String(String.UnicodeScalarView(tokenizer.characters))
      throw wrong(
        entry,
        "expected \(part) of the base's characters \(FileError.quoted(vocabulary)), found "
          + "\(FileError.quoted(String(error.character))) at position \(error.position) of \(FileError.quoted(text))")
    }
  }

  /// Every response may become as long as the longest of the file.
  private func checkLength(_ entry: QuestionFile.Entry, _ response: String, _ maximum: Int) throws(FileError) {
    let prompt = entry.question.unicodeScalars.count
    let own = prompt + response.unicodeScalars.count + 1
    guard own <= maximum else {
      throw wrong(
        entry,
        "expected at most \(maximum) tokens, for which the base is made, found \(own) in question, answer and end")
    }
    guard prompt + maximumResponseLength <= maximum else {
      throw wrong(
        entry,
        "expected at most \(maximum) tokens, for which the base is made, found \(prompt + maximumResponseLength) in the "
          + "question and the longest answer of the file with its end")
    }
  }

  private func wrong(_ entry: QuestionFile.Entry, _ problem: String) -> FileError {
    FileError(
      .badContent, path: file.path, object: "line \(entry.line)", problem,
      remedy: "Take the line out, or make a base for this file: spectroscope pretrain --task \(file.path) --out DIR")
  }
}

extension CharacterTokenizer {
  /// The characters of some texts in the order of their code points, between two that are not among them: one that fills, `_` unless
  /// the texts hold it, and one that ends, `;` unless they hold it.
  init(holding texts: [String]) {
    let found = Set(texts.flatMap(\.unicodeScalars))
    // Behind the wish come characters of the private planes, of which a text may hold some, but never all.
    func free(_ wished: Unicode.Scalar, else others: ClosedRange<UInt32>) -> Unicode.Scalar {
      ([wished.value] + others).lazy.compactMap(Unicode.Scalar.init).first { !found.contains($0) }!
    }
    let (pad, eos) = (free("_", else: 0xF0000...0xF_FFFD), free(";", else: 0x10_0000...0x10_FFFD))
    self.init(characters: [pad] + found.sorted() + [eos], eos: eos, pad: pad)
  }
}
