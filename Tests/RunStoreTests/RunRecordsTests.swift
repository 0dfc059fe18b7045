import Foundation
import OrderedCollections
import RunStore
import Testing
import Weights

/// `training.jsonl` as it may be found.
@Suite struct RunRecordsTests {
  private func records(_ text: String) throws -> TrainingRecords {
    try withFolder { folder in
      try PendingFile.write(text, to: folder + "/training.jsonl")
      return try TrainingRecords(path: folder + "/training.jsonl")
    }
  }

  private func error(_ text: String) throws -> String? {
    try withFolder { folder in
      let path = folder + "/training.jsonl"
      try PendingFile.write(text, to: path)
      let error = fileError { () throws(FileError) in try TrainingRecords(path: path) }
      #expect(error == nil || error?.kind == .badContent)
      return error?.description.replacing(folder + "/", with: "")
    }
  }

  /// Everything of a record comes back, also what a line of the file cannot say.
  @Test func recordsGoThroughJSON() throws {
    let found = try records(
      """
      {"step": 2, "b": 0.1, "a/c": null, "m": {"x.10": 1e-300, "x.2": NaN}}
      {"step": 10, "d": 3.5, "b": Infinity, "m": {}}

      """)
    let text = found.json.text()
    let back = try #require(TrainingRecords(json: JSONValue(parsing: Array(text.utf8))))
    #expect(back == found && back.records.last?.nonFinite == ["b"])
    #expect(TrainingRecords(json: ["no", "records"]) == nil && TrainingRecords(json: .null) == nil)
  }

  @Test func columnsComeInTheOrderOfTheirFirstOccurrence() throws {
    let found = try records(
      """
      {"step": 2, "b": 1, "a/c": null, "m": {"x.10": 1, "x.2": NaN}}
      {"step": 10, "d": 3.5, "b": Infinity}

      {"step": 3, "a/c": 4}

      """)
    #expect(found.records.map(\.step) == [2, 3, 10])
    #expect(found.columns == ["b", "a_c", "d"] && found.seriesColumns == ["m"] && found.modules == ["x.2", "x.10"])
    #expect(found.records[0].values == ["b": 1, "a_c": nil])
    #expect(found.records[0].series == ["m": ["x.10": 1, "x.2": nil]])
    #expect(found.records[2].values == ["d": 3.5, "b": nil])
  }

  @Test func theLastOfARepeatedStepIsKept() throws {
    let found = try records(#"{"step":1,"a":1}"# + "\n" + #"{"step":2,"a":2}"# + "\n" + #"{"step":1,"b":3}"# + "\n")
    #expect(found.records.map(\.step) == [1, 2])
    #expect(found.records[0].values == ["b": 3])
  }

  /// Whatever part of the last line is there, the lines before it are read.
  @Test func aTornLastLineIsLeftOut() throws {
    let lines = #"{"step":1,"a":1}"# + "\n"
    let last = #"{"step":2,"a":{"größe":1}}"#
    for length in 0...last.utf8.count {
      let torn = Data((lines + last).utf8.prefix(lines.utf8.count + length))
      try withFolder { folder in
        try torn.write(to: URL(filePath: folder + "/training.jsonl"))
        #expect(try TrainingRecords(path: folder + "/training.jsonl").records.map(\.step) == [1])
      }
    }
    #expect(try records(lines + last + "\n").records.map(\.step) == [1, 2])
    #expect(try records("").isEmpty && records("{").isEmpty && records("\n").isEmpty)
    #expect(try TrainingRecords(path: "/nowhere/training.jsonl").isEmpty)
  }

  @Test(arguments: [
    (#"{"step":2,"a":"#, "expected a JSON object, found other text: expected a value, found"),
    ("7", "expected a JSON object, found another value. Mend"),
    (#"{"reward":1}"#, "expected step to be a whole number, found none. Mend the line, or take it out"),
    (#"{"step":-1}"#, "expected step to be a whole number, found -1. Mend"),
    (
      #"{"step":1,"a":{"m":true}}"#,
      #"expected "a of m" to be a number, null, or numbers by module, found another value"#
    ),
    (#"{"step":1,"":1}"#, #"expected another name for a column, found """#),
  ])
  func aBrokenLineIsNamed(line: String, problem: String) throws {
    let whole = #"{"step":1}"# + "\n\n"
    let found = try #require(try error(whole + line + "\n" + whole))
    #expect(found.hasPrefix("training.jsonl: line 3: " + problem), "\(found)")
  }
}
