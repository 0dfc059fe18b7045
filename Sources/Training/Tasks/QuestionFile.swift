import Foundation
import OrderedCollections
import Weights

/// How the questions of a file are used. The one owner of the defaults.
package struct QuestionOptions: Equatable, Sendable {
  package var verifier = AnswerVerifier(.exact)
  /// The share of the questions that are held out of training, between 0 and 1.
  package var testShare = 0.2

  package init() {}
}

/// The questions of a JSONL file: one JSON object a line with `question` and `answer`, as reasoning-gym exports them. Other members
/// are passed over.
package struct QuestionFile: Sendable {
  /// A question with its answer, and the first line that has it.
  package struct Entry: Equatable, Sendable {
    package let question: String
    package let answer: String
    package let line: Int
  }

  package let path: String
  /// Each question once, in the order of the file.
  package let entries: [Entry]
  /// Of the file's bytes.
  package let sha256: String

  /// Files beyond this are refused: a question takes several times its bytes in memory.
  package static let maximumSize = 64 << 20

  /// Reads a file. Texts are brought to Unicode's composed form (NFC), answers are trimmed, and a number is an answer like its text.
  ///
  /// - Throws: `.cannotOpen`; `.badContent` with the line that is no JSON object, lacks a question or an answer that the verifier can
  ///   judge, or answers an earlier question otherwise, and where there are fewer than two questions.
  package init(path: String, verifier: AnswerVerifier) throws(FileError) {
    let file = try PositionedFile(path: path)
    guard file.size <= Self.maximumSize else {
      throw FileError(
        .badContent, path: path,
        "expected at most \(Self.maximumSize >> 20) MiB of questions, found \(file.size) bytes",
        remedy: "Take a part of the file")
    }
    let bytes = try file.read(file.size, at: 0)
    var digest = SHA256()
    digest.update(bytes)
    var entries: OrderedDictionary<String, Entry> = [:]
    var (end, number) = (0, 0)
    while end < bytes.count {
      let feed = bytes[end...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      let line = bytes[end..<feed]
      (end, number) = (feed + 1, number + 1)
      if line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
      let reader = QuestionLine(path: path, number: number)
      let entry = try reader.entry(line, verifier)
      try reader.check(entry, against: entries[entry.question])
      if entries[entry.question] == nil { entries[entry.question] = entry }
    }
    guard entries.count > 1 else {
      throw FileError(
        .badContent, path: path,
        "expected at least two questions, one to train on and one to hold out, found \(entries.count)",
        remedy: #"Write one JSON object a line, such as {"question": "1+1=", "answer": "2"}"#)
    }
    (self.path, self.entries, sha256) = (path, entries.values.elements, digest.hexadecimal)
  }
}

/// One line of a file of questions, to be read or complained about.
private struct QuestionLine {
  let path: String
  /// Counted from 1.
  let number: Int

  func wrong(_ problem: String, remedy: String = "Mend the line, or take it out") -> FileError {
    FileError(.badContent, path: path, object: "line \(number)", problem, remedy: remedy)
  }

  func entry(_ line: ArraySlice<UInt8>, _ verifier: AnswerVerifier) throws(FileError) -> QuestionFile.Entry {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue(parsing: Array(line))
    } catch {
      throw wrong("expected a JSON object, found other text: \(error.problem)")
    }
    guard json.object != nil else { throw wrong("expected a JSON object, found another value") }
    return QuestionFile.Entry(question: try question(json), answer: try answer(json, verifier), line: number)
  }

  private func question(_ json: JSONValue) throws(FileError) -> String {
    guard let question = json["question"] else { throw wrong("expected a question, found none") }
    guard let text = question.string else { throw wrong("expected the question to be a text, found another value") }
    guard !text.allSatisfy(\.isWhitespace) else { throw wrong("expected a question, found an empty text") }
    return text.precomposedStringWithCanonicalMapping
  }

  private func answer(_ json: JSONValue, _ verifier: AnswerVerifier) throws(FileError) -> String {
    guard let answer = json["answer"] else { throw wrong("expected an answer, found none") }
    let text = try text(of: answer).precomposedStringWithCanonicalMapping
      .trimmingCharacters(in: .whitespacesAndNewlines)
    guard verifier.accepts(text) else {
      throw wrong(
        "expected an answer that is \(verifier.kind == .integer ? "a whole number" : "a number"), found "
          + FileError.quoted(text), remedy: "Compare texts with --verifier exact, or mend the line")
    }
    return text
  }

  /// Beyond 2⁵³ a number of JSON is not what its digits say.
  private func text(of answer: JSONValue) throws(FileError) -> String {
    switch answer {
    case .string(let text): return text
    case .integer(let number): return String(number)
    case .number(let number):
      if let whole = Int(exactly: number), whole.magnitude < 1 << 53 { return String(whole) }
      guard number != number.rounded() else {
        throw wrong(
          "expected an answer that a number can hold exactly, found a larger one", remedy: "Write it as a text")
      }
      return number.description
    default: throw wrong("expected the answer to be a text or a number, found another value")
    }
  }

  func check(_ entry: QuestionFile.Entry, against earlier: QuestionFile.Entry?) throws(FileError) {
    guard let earlier, earlier.answer != entry.answer else { return }
    throw wrong(
      "expected the answer \(FileError.quoted(earlier.answer)), which line \(earlier.line) gives to the same question, found "
        + FileError.quoted(entry.answer), remedy: "Take one of the two lines out")
  }
}
