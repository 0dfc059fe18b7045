import Foundation
import OrderedCollections
import RunStore
import Testing
import Weights

/// The trainer's log within an analysis file.
@Suite struct JoinedTrainingTests {
  /// Every record has every column, in the order of names, as they come back.
  private func records() throws -> TrainingRecords {
    try log(
      """
      {"step":1,"loss":NaN,"reward":0.1,"wide":{"m.2":1,"m.10":null}}
      {"step":5,"loss":null,"reward":1e-300,"wide":{"m.2":2,"m.10":3}}
      {"step":7,"loss":2,"reward":Infinity,"wide":{"m.2":4,"m.10":5}}

      """
    ).records
  }

  @Test func itComesBack() throws {
    var analysis = sample
    analysis.training = try records()
    try withFolder { folder in
      try AnalysisFile.write(analysis, to: folder + "/a.h5")
      let back = try AnalysisFile.read(from: folder + "/a.h5")
      #expect(back == analysis)
      #expect(back.training?.nonFiniteSteps("loss") == [1] && back.training?.nonFiniteSteps("reward") == [7])
      let group = try HDF5File.open(folder + "/a.h5").root().group("training")
      #expect(try group.members() == ["loss", "module", "non_finite", "reward", "step", "title", "wide"])
      #expect(try group.dataset("step").read(as: Int.self) == [1, 5, 7])
      #expect(try group.group("non_finite").members() == ["loss", "reward"])
    }
  }

  @Test func anAnalysisWithoutOneHasNone() throws {
    try withFolder { folder in
      try AnalysisFile.write(sample, to: folder + "/a.h5")
      #expect(try AnalysisFile.read(from: folder + "/a.h5").training == nil)
      #expect(try !HDF5File.open(folder + "/a.h5").root().contains("training"))
      try AnalysisFile.write(Analysis(training: TrainingRecords()), to: folder + "/b.h5")
      #expect(try AnalysisFile.read(from: folder + "/b.h5").training == TrainingRecords())
    }
  }

  /// A column that is not there at a step comes back as undefined.
  @Test func theFileIsAsWideAsItsColumns() throws {
    let ragged = try log(#"{"step":1,"b":1}"# + "\n" + #"{"step":2,"a":2}"# + "\n").records
    try withFolder { folder in
      try AnalysisFile.write(Analysis(training: ragged), to: folder + "/a.h5")
      let back = try #require(try AnalysisFile.read(from: folder + "/a.h5").training)
      #expect(back.records.map(\.values) == [["a": nil, "b": 1], ["a": 2, "b": nil]])
    }
  }

  private func message(_ change: (borrowing HDF5Group) throws(FileError) -> Void) throws -> String? {
    try withFolder { folder in
      let path = folder + "/a.h5"
      try HDF5File.write(to: path) { (root) throws(FileError) in
        let group = try root.createGroup("analysis")
        try group.write([Int](), shape: [0], named: "step")
        try group.write([String](), named: "module")
        try root.write(text: "[]", named: "findings")
        try root.setAttribute("format", "spectroscope-analysis")
        try root.setAttribute("format_version", 1)
        try change(try root.createGroup("training"))
      }
      let error = fileError { () throws(FileError) in try AnalysisFile.read(from: path) }
      #expect(error == nil || error?.kind == .badContent)
      return error?.description.replacing(folder + "/", with: "")
    }
  }

  @Test func damageIsNamed() throws {
    #expect(
      try message { (group) throws(FileError) in try group.write([2, 1], shape: [2], named: "step") }?
        .hasPrefix("a.h5: /training/step: expected ascending steps of at least 0, found others") == true)
    #expect(
      try message { (group) throws(FileError) in
        try group.write([1, 2], shape: [2], named: "step")
        try group.write([1.0], shape: [1], named: "loss")
      }?.hasPrefix("a.h5: /training/loss: expected shape [2] or [2, 0], found [1]") == true)
    #expect(
      try message { (group) throws(FileError) in
        try group.write([1, 2], shape: [2], named: "step")
        try group.write([1.0, .nan], shape: [2], named: "loss")
        try group.createGroup("non_finite").write([1], shape: [1], named: "loss")
      }?.hasPrefix("a.h5: /training/non_finite/loss: expected steps at which loss is undefined, found 1") == true)
    #expect(try message { (_) throws(FileError) in }?.hasPrefix("a.h5: /training/step: expected an object") == true)
  }
}
