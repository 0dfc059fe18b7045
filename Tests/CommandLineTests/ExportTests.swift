import Foundation
import RunStore
import TestSupport
import Testing
import Weights

/// `export`: the tables, column for column and cell for cell.
@Suite struct ExportTests {
  let bench = try! Bench()

  /// The columns of the contract in its order, and the errors of angles behind them.
  private static let columns = [
    "step", "module", "method", "delta", "rows", "columns", "rank", "k", "k_gap", "frobenius_norm", "relative_norm",
    "spectral_norm", "spectral_ratio", "rounding_floor", "residual_rounding", "stable_rank", "effective_rank",
    "effective_rank_energy", "participation_ratio", "nuclear_ratio", "numerical_rank", "left_energy_top",
    "right_energy_top", "both_energy_top", "left_energy_bottom", "right_energy_bottom", "both_energy_bottom",
    "left_energy_null", "right_energy_null", "left_null_top", "right_null_top", "left_null_bottom",
    "right_null_bottom", "left_enrichment_top", "right_enrichment_top", "left_enrichment_bottom",
    "right_enrichment_bottom", "left_angle_min", "left_angle_mean", "left_angle_max", "left_overlap",
    "right_angle_min", "right_angle_mean", "right_angle_max", "right_overlap", "alignment_error", "left_rotation_max",
    "left_rotation_mean", "right_rotation_max", "right_rotation_mean", "rotation_error", "left_rotation_gap",
    "right_rotation_gap", "rotation_gap_error", "spectral_gap", "gap_ratio", "rotation_bound", "spectral_shift",
    "intruder_count", "intruder_energy", "update_velocity", "shift_velocity", "rotation_velocity",
    "unit_step",
  ]

  private func export(_ format: String, of source: String = Reference.lora) throws -> ProcessResult {
    try #require(try bench.analyze(source).status == 0)
    return try spectroscope("export", bench.output, "--format", format, "--out", bench.path("tables"))
  }

  @Test func csvFilesAreListed() throws {
    let result = try export("csv")
    #expect(
      result.stdout
        == bench.filled(
          "{}/tables/modules.csv\n{}/tables/singular_values.csv\n{}/tables/profiles.csv\n{}/tables/training.csv\n{}/tables/findings.csv\n"
        ))
    #expect(result.stderr == "")
    #expect(result.status == 0)
    func header(_ name: String) throws -> Substring? {
      try String(contentsOfFile: bench.path("tables/\(name).csv"), encoding: .utf8).split(separator: "\n").first
    }
    #expect(try header("modules").map(String.init) == Self.columns.joined(separator: ","))
    #expect(try header("singular_values") == "step,module,delta,index,value")
    #expect(try header("profiles") == "step,module,delta,side,bin,first,last,share,null")
    #expect(
      try header("findings")
        == "step,code,name,severity,module,value,threshold,baseline,p_value,message,effect_size,cause,remedy")
  }

  @Test(arguments: [
    (
      "parquet",
      ["modules.parquet", "singular_values.parquet", "profiles.parquet", "training.parquet", "findings.parquet"]
    ), ("npz", ["spectra.npz"]), ("tensorboard", ["events.out.tfevents.0000000000.spectroscope"]),
    (
      "vega-lite",
      ["training", "singular_values", "effective_rank", "energy", "velocity"].map { $0 + ".vl.json" }
    ),
  ])
  func filesOfOtherFormatsAreListed(format: String, files: [String]) throws {
    let result = try export(format)
    #expect(result.stdout == files.map { bench.path("tables/\($0)") + "\n" }.joined())
    #expect(result.stderr == "" && result.status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: bench.path("tables")).sorted() == files.sorted())
  }

  @Test func quietListsNothing() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    let result = try spectroscope(
      "export", bench.output, "--format", "json", "--out", bench.path("tables"), "--quiet")
    #expect(result.stdout == "" && result.stderr == "" && result.status == 0)
    #expect(bench.exists(bench.path("tables/spectra.json")))
  }

  @Test func cellsAreThoseOfTheReference() throws {
    let reference = ReferenceCase.named("lora")
    #expect(try export("csv", of: reference.source).status == 0)
    let rows = try CSVTable(path: bench.path("tables/modules.csv")).rows
    let expected = try CSVTable(path: reference.modulesTable).rows
    #expect(rows.count == expected.count)
    for (row, wanted) in zip(rows, expected) {
      for column in ["step", "module", "method", "delta", "rows", "columns", "rank", "k"] {
        #expect(row[column] == wanted[column])
      }
      // The contract's accuracy for norms, and for what is computed from them.
      for column in ["frobenius_norm", "relative_norm", "spectral_norm", "stable_rank", "update_velocity"] {
        try expectClose(row[column]!, wanted[column]!, relative: 1e-5)
      }
    }
    try singularValuesAreThoseOfTheReference(reference)
  }

  private func singularValuesAreThoseOfTheReference(_ reference: ReferenceCase) throws {
    let all = try CSVTable(path: bench.path("tables/singular_values.csv")).rows
    #expect(all.contains { $0["delta"] == "base" && $0["step"] == "" } && all.contains { $0["delta"] == "updated" })
    let rows = all.filter { !["base", "updated"].contains($0["delta"]!) }
    let expected = try CSVTable(path: reference.singularValuesTable).rows
    #expect(rows.count == expected.count)
    for (row, wanted) in zip(rows, expected) where wanted["index"] == "0" {
      for column in ["step", "module", "delta", "index"] { #expect(row[column] == wanted[column]) }
      try expectClose(row["value"]!, wanted["value"]!, relative: 1e-5)
    }
  }

  private func expectClose(_ found: String, _ wanted: String, relative: Double) throws {
    guard !wanted.isEmpty else {
      #expect(found == "")
      return
    }
    let (found, wanted) = (try #require(Double(found)), try #require(Double(wanted)))
    #expect(abs(found - wanted) <= relative * abs(wanted), "found \(found), expected \(wanted)")
  }

  /// Of an analysis that a trainer's log was joined to, beside which there is no run folder.
  @Test func aJoinedLogIsExported() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    var analysis = try AnalysisFile.read(from: bench.output)
    let log = bench.path("log.csv")
    try "step,train/reward,actor/kl_loss,own\n5,0.5,nan,1\n10,0.25,0.125,2\n".write(
      toFile: log, atomically: true, encoding: .utf8)
    analysis.training = try TrainingLog.read(path: log).records
    try AnalysisFile.write(analysis, to: bench.output)
    let result = try spectroscope("export", bench.output, "--format", "csv", "--out", bench.path("tables"))
    #expect(result.status == 0 && result.stdout.contains(bench.filled("{}/tables/training.csv\n")))
    let table = try CSVTable(path: bench.path("tables/training.csv"))
    #expect(table.rows.map { $0["step"] } == ["5", "10"] && table.rows.map { $0["reward"] } == ["0.5", "0.25"])
    #expect(table.rows.map { $0["kl"] } == ["", "0.125"] && table.rows.map { $0["own"] } == ["1.0", "2.0"])
  }

  @Test func jsonHoldsTheSameCells() throws {
    #expect(try export("csv").status == 0)
    let result = try export("json")
    #expect(result.stdout == bench.filled("{}/tables/spectra.json\n"))
    let json = try JSONValue(contentsOf: bench.path("tables/spectra.json"))
    #expect(json["findings"]?.array?.map { $0["code"]?.string } == ["SP414"])
    #expect(json["verdict"]?.string == "inconclusive")
    for name in ["modules", "singular_values"] {
      let table = try CSVTable(path: bench.path("tables/\(name).csv"))
      let rows = try #require(json[name]?.array)
      #expect(rows.count == table.rows.count)
      var differences = 0
      for (object, row) in zip(rows, table.rows) {
        for column in table.columns where Self.cell(object[column]) != row[column] { differences += 1 }
      }
      #expect(differences == 0, "\(name)")
    }
  }

  private static func cell(_ value: JSONValue?) -> String? {
    guard let value else { return nil }
    return value.isNull ? "" : value.string ?? value.text()
  }

  @Test func findingsAreQuotedByRFC4180() throws {
    let adapter = try bench.adapter()
    try adapter.replaceInConfiguration("\"lora_alpha\": 8", with: "\"lora_alpha\": 0")
    #expect(try export("csv", of: adapter.path).status == 0)
    let lines = try String(contentsOfFile: bench.path("tables/findings.csv"), encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 3)
    #expect(
      lines[1] == """
        5,SP105,alpha-is-zero,alert,,0.0,,,,"lora_alpha is 0 for 14 of 14 modules, so their update is zero whatever was \
        trained. Some checkpoint mergers write it when they lack the training's metadata; restore the α of the training",,load-mismatch,Set lora_alpha \
        in adapter_config.json to the value of training.
        """)
  }

  @Test func aFolderThatHoldsAnAnalysis() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    try bench.copy(bench.output, as: "run/analysis.h5")
    let result = try spectroscope("export", bench.path("run"), "--format", "json", "--out", bench.path("tables"))
    #expect(result.status == 0)
    #expect(result.stdout == bench.filled("{}/tables/spectra.json\n"))
  }
}
