import Diagnosis
import Foundation
import RunStore
import Spectra
import Testing
import Weights

@Suite struct AnalysisFileTests {
  @Test func whatWasWrittenComesBack() throws {
    try withFolder { folder in
      try AnalysisFile.write(sample, to: "\(folder)/a.h5")
      #expect(try AnalysisFile.read(from: "\(folder)/a.h5") == sample)
      #expect(try entries(of: folder) == ["a.h5"])
    }
  }

  @Test func everyMetricAndDeltaComesBack() throws {
    var rows: [SpectrumRow] = []
    for step in [0, 3, 100] {
      for module in 0..<12 {
        for (place, delta) in Delta.allCases.enumerated() {
          var metrics = MetricValues()
          for (column, metric) in Metric.allCases.enumerated() {
            metrics[metric] = Double(((step * 12 + module) * 3 + place) * 100 + column) / 7
          }
          let spectrum = (0..<module).map { 1 / Double($0 + step + place + 1) }
          rows.append(
            SpectrumRow(
              step: step, module: "layers.\(module).mlp", method: "miss", delta: delta, metrics: metrics,
              singularValues: spectrum))
        }
      }
    }
    try withFolder { folder in
      try AnalysisFile.write(Analysis(rows: rows.shuffled()), to: "\(folder)/a.h5")
      #expect(try AnalysisFile.read(from: "\(folder)/a.h5").rows == rows)
    }
  }

  @Test func anEmptyAnalysisIsAFileToo() throws {
    try withFolder { folder in
      try AnalysisFile.write(Analysis(), to: "\(folder)/a.h5")
      #expect(try AnalysisFile.read(from: "\(folder)/a.h5") == Analysis())
      let group = try HDF5File.open("\(folder)/a.h5").root().group("analysis")
      #expect(try group.members() == ["index", "module", "step"])
    }
  }

  @Test func deltasAndMetricsWithoutValuesHaveNoPlace() throws {
    try withFolder { folder in
      try AnalysisFile.write(sample, to: "\(folder)/a.h5")
      let group = try HDF5File.open("\(folder)/a.h5").root().group("analysis")
      #expect(
        try group.members() == [
          "base", "index", "init", "module", "pretrained", "previous", "profiles", "step", "updated",
        ])
      let previous = try group.group("previous")
      #expect(
        try previous.members() == [
          "columns", "index", "method", "module", "relative_norm", "rows", "singular_values", "step", "title",
          "update_velocity",
        ])
      #expect(
        try group.dataset("module").readTexts()
          == ["layers.2.q_proj", "layers.10.größe.层", "lm_head"].sorted(by: NaturalOrder.precedes))
      #expect(try previous.texts("axes") == ["step", "."])
      #expect(try previous.text("signal") == "relative_norm")
      #expect(try group.group("init").dataset("singular_values").shape() == [2, 3, 3])
    }
  }

  @Test func aModuleMayChangeItsMethod() throws {
    let changed = Analysis(rows: [row(1, "m"), row(2, "m", method: "full")])
    try withFolder { folder in
      try AnalysisFile.write(changed, to: "\(folder)/a.h5")
      #expect(try AnalysisFile.read(from: "\(folder)/a.h5") == changed)
    }
  }

  @Test func equalContentMakesEqualFiles() throws {
    var other = sample
    other.rows.reverse()
    try withFolder { folder in
      try AnalysisFile.write(sample, to: "\(folder)/a.h5")
      try AnalysisFile.write(other, to: "\(folder)/b.h5")
      #expect(try bytes(of: "\(folder)/a.h5") == bytes(of: "\(folder)/b.h5"))
    }
  }

  @Test(arguments: [
    ([row(1, "m"), row(1, "m")], "m, step 1, init: expected one row, found two"),
    (
      [SpectrumRow(step: 1, module: "m", method: "x", delta: .previous, metrics: MetricValues(), singularValues: [])],
      "m, step 1, previous: expected the matrix's shape in rows and columns, found none"
    ),
  ])
  func rowsThatTheLayoutCannotHoldAreRefused(rows: [SpectrumRow], message: String) throws {
    try withFolder { folder in
      let path = "\(folder)/a.h5"
      let error = fileError { () throws(FileError) in try AnalysisFile.write(Analysis(rows: rows), to: path) }
      #expect(error?.description == "\(path): \(message)")
      #expect(error?.kind == .cannotWrite)
      let left = try entries(of: folder)
      #expect(left.isEmpty)
    }
  }

  @Test func aFailedWriteNamesThePathAndKeepsTheOldFile() throws {
    try withFolder { folder in
      let path = "\(folder)/a.h5"
      try AnalysisFile.write(sample, to: path)
      let bad = Analysis(rows: [row(1, "zero\0byte")])
      let error = fileError { () throws(FileError) in try AnalysisFile.write(bad, to: path) }
      #expect(
        error?.description
          == "\(path): /analysis/module: expected text without zero bytes, found one. Rename it in its source")
      #expect(try AnalysisFile.read(from: path) == sample)
      #expect(try entries(of: folder) == ["a.h5"])
      let nowhere = "\(folder)/none/a.h5"
      let second = fileError { () throws(FileError) in try AnalysisFile.write(sample, to: nowhere) }
      #expect(second?.kind == .cannotCreate)
      #expect(second?.description.hasPrefix("\(nowhere): cannot be created: No such file or directory") == true)
    }
  }

  @Test func numbersInNamesAreOrderedByValue() {
    let names = ["a", "a.2", "a.2.b", "a.10", "a.10.b", "a.010.b", "b1", "b02", "b2x", "b99999999999999999999", "é"]
    #expect(
      names.shuffled().sorted(by: NaturalOrder.precedes) == [
        "a", "a.2", "a.2.b", "a.10", "a.010.b", "a.10.b", "b1", "b02", "b2x", "b99999999999999999999", "é",
      ])
    for a in names {
      for b in names { #expect(NaturalOrder.precedes(a, b) == (a != b && !NaturalOrder.precedes(b, a))) }
    }
  }

  @Test func findingsHaveEveryColumn() throws {
    let finding = Finding(step: 3, code: "SP105", name: "n", severity: .info, value: .nan, message: "a/b")
    let text = try FindingsJSON.text(of: [finding], path: "f")
    #expect(
      text == """
        [{"baseline":null,"cause":null,"code":"SP105","effect_size":null,"message":"a/b","module":null,"name":"n","p_value":null,\
        "remedy":null,"severity":"info","step":3,"threshold":null,"value":null}]
        """)
    let error = fileError { () throws(FileError) in try FindingsJSON.findings(in: "[{}]", path: "f") }
    #expect(error?.description == "f: expected a JSON list of findings, found other text: no 'code'")
  }
}
