import Foundation
import OrderedCollections
import RunStore
import Testing
import Weights

/// Logs in CSV, as pandas wrote one and as they may be found.
@Suite struct TableLogTests {
  private func table(_ text: String) throws -> TrainingRecords {
    let found = try log(text, "log.csv")
    #expect(found.kind == .csv)
    return found.records
  }

  @Test func aTableOfPandasIsRead() throws {
    let found = try TrainingLog.read(path: LogReferences.path("table.csv"))
    #expect(found.kind == .csv)
    #expect(found.records.columns == ["reward", "grad_norm"])
    #expect(found.records.column("reward") == [1: 0.1, 3: 1.0 / 3])
    #expect(found.records.column("grad_norm") == [1: nil, 2: 1e-300, 3: 2.5])
    #expect(found.records.nonFiniteSteps("grad_norm") == [1])
  }

  @Test func rowsOfOneStepAreJoined() throws {
    let found = try table("Step,train_loss,val_loss\r\n0,1,\r\n0,,2\r\n\r\n1,NaN,-inf\r\n")
    #expect(found.records.map(\.step) == [0, 1])
    #expect(found.records[0].values == ["loss": 1, "val_loss": 2])
    #expect(found.records[1].nonFinite == ["loss", "val_loss"])
  }

  @Test(arguments: ["step", "global_step", "Step", "_step", " step "])
  func theStepHasSeveralNames(name: String) throws {
    #expect(try table("a,\"\(name)\"\n5,7.0\n").records.map { ($0.step) } == [7])
    #expect(try table("\u{FEFF}\(name),a\n7,5\n").column("a") == [7: 5])
  }

  /// A number may go on where the file ends.
  @Test func aLastLineWithoutItsLineFeedIsLeftOut() throws {
    let whole = "step,a\n1,0.5\n2,0.25\n"
    for length in 13..<whole.utf8.count {
      #expect(try table(String(whole.prefix(length))).column("a") == [1: 0.5], "\(length)")
    }
    #expect(try table(whole).column("a") == [1: 0.5, 2: 0.25])
  }

  @Test func cellsThatSayNothingAreLeftOut() throws {
    #expect(try table("step,a,b\n1,None,x\n2, 3 ,0x10\n3,NA,\n").records.map(\.values) == [[:], ["a": 3], [:]])
  }

  @Test(arguments: [
    ("a,b\n1,2\n", #"line 1: expected names of columns with step, global_step, Step, found "a", "b". Mend"#),
    ("step;a\n1;2\n", #"line 1: expected names of columns with step, global_step, Step, found "step;a". Mend"#),
    ("step,a,a\n1,2,3\n", #"line 1: expected different names, found "a" twice. Mend the line, or take it out"#),
    ("step", "line 1: expected a line of names, found none that is whole. Mend"),
    ("step,a\n1,2\n\n2\n3,4\n", "line 4: expected 2 fields, found 1. Mend"),
    ("step,a\n1,2,3\n", "line 2: expected 2 fields, found 3. Mend"),
    ("step,a\n-1,2\n", #"line 2: expected step to be a whole number, found "-1". Mend"#),
    ("step,a\n1.5,2\n", #"line 2: expected step to be a whole number, found "1.5". Mend"#),
    ("step,a\n,2\n", #"line 2: expected step to be a whole number, found "". Mend"#),
    ("step,a\nnan,2\n", #"line 2: expected step to be a whole number, found "nan". Mend"#),
    ("step,a\n1,2\n2,0.5.5\n", #"line 3: expected "a" to be a number as in other lines, found "0.5.5". Mend"#),
    ("step,a\n1,x\"y\n", "line 2: expected a field in quotes from its beginning, found a quote within it. Mend"),
    ("step,a\n1,\"x\"y\n", "line 2: expected a comma behind the closing quote, found other text. Mend"),
    ("step,a\n1,\"x\n2,3\n3,4\n", "line 2: expected a closing quote, found the end of the text. Mend"),
  ])
  func damageIsNamed(text: String, problem: String) throws {
    let found = try #require(try logError(text, "log.csv"))
    #expect(found.hasPrefix("log.csv: " + problem), "\(found)")
  }

  @Test func bytesThatAreNoTextAreNamed() throws {
    #expect(
      try logError([UInt8]("step,a\n1,".utf8) + [0xFF, 0x0A], "log.csv")
        == "log.csv: line 2: expected UTF-8, found bytes that are not. Mend the line, or take it out")
  }
}
