import Foundation
import RunStore
import TestSupport
import Testing
import Weights

/// `compare`, of runs that the program trains and analyses.
@Suite struct CompareTests {
  let bench = try! Bench()

  /// Trains a short run below that name and analyses it; returns its folder.
  @discardableResult
  private func trained(_ name: String, _ method: String, _ options: String...) throws -> String {
    let folder = bench.path(name)
    let arguments = [
      "train", "--method", method, "--learning-rate", "1e-3", "--steps", "25", "--out", folder, "--quiet",
    ]
    let training = try run(Program.path, arguments + options, environment: Program.environment)
    try #require(training.status == 0, "\(training.stderr)")
    try analyze(folder)
    return folder
  }

  private func analyze(_ folder: String, _ options: String...) throws {
    let result = try run(Program.path, ["analyze", folder, "--quiet"] + options, environment: Program.environment)
    try #require(result.status == 0, "\(result.stderr)")
  }

  private func compared(_ arguments: String...) throws -> JSONValue {
    let result = try run(Program.path, ["compare", "--json"] + arguments, environment: Program.environment)
    try #require(result.status == 0 && result.stderr == "", "\(result.stderr)")
    return try JSONValue(parsing: result.stdout)
  }

  /// The ratios, or the marks, of a run at one of the steps or norms.
  private func found(_ json: JSONValue, _ alignment: String, _ index: Int, _ run: Int, _ what: String) throws
    -> JSONValue
  {
    let points = try #require(json[alignment]?["points"]?.array)
    return try #require(points.dropFirst(index).first?["runs"]?.array?[run][what])
  }

  // MARK: Real runs

  /// The laboratory's law: from the same nominal rate PiSSA takes larger steps than LoRA, MiLoRA smaller ones, DoRA equal ones. What is
  /// left at equal norm is PiSSA's shift of singular values.
  @Test func theDisputeInOneTable() throws {
    let runs = try ["lora", "pissa", "milora", "dora"].map { try trained($0, $0) }
    let json = try compared(runs[0], runs[1], runs[2], runs[3])
    #expect(json["runs"]?.array?.map { $0["name"]?.string } == ["lora", "pissa", "milora", "dora"])
    #expect(json["runs"]?.array?.map { $0["learning_rate"] } == [0.001, 0.001, 0.001, 0.001])
    #expect(json["runs"]?.array?.last?["shape_delta"] == "init.direction")
    let ratios = try (1...3).map { try found(json, "at_step", 0, $0, "ratios")["update_velocity"]?.double ?? 0 }
    #expect(ratios[0] > 1.6 && ratios[1] < 0.8 && (0.8...1.3).contains(ratios[2]), "\(ratios)")
    let points = try #require(json["at_norm"]?["points"]?.array)
    for point in points {
      let (found, norm) = (
        point["runs"]?.array?.first?["values"]?["relative_norm"]?.double, point["relative_norm"]?.double
      )
      #expect(abs((found ?? 0) - (norm ?? 1)) < 1e-9)
    }
    let shared = try compared(runs[0], runs[1])
    let remaining = try found(shared, "at_norm", 2, 1, "ratios")
    #expect((remaining["spectral_shift"]?.double ?? 0) > 1.5 && (remaining["shift_share"]?.double ?? 0) > 2)
    #expect(abs((remaining["relative_norm"]?.double ?? 0) - 1) < 1e-9)
    let marks = try found(shared, "at_norm", 2, 1, "marks")
    #expect(marks["overlap"] == "construction" && marks["enrichment_top"] == "construction")
    #expect(marks["spectral_shift"] != "construction" && marks["step"] == .null)

    let text = try spectroscope("compare", runs[0], runs[1], runs[2], runs[3])
    #expect(text.status == 0 && text.stderr == "")
    #expect(text.stdout.split(separator: "\n").allSatisfy { $0.count <= 110 })
    for part in [
      "at equal steps\n", "at equal ‖ΔW‖/‖W₀‖\n", "\nratio      to lora; ",
      "At the same nominal rate of 0.001 the weights move",
      "* by construction of pissa: top energy", "What this cannot tell: ", "of dora without what the magnitudes did",
    ] { #expect(text.stdout.contains(part), "\(part)") }
    let quiet = try spectroscope("compare", runs[0], runs[1], "--quiet", "--points", "2")
    #expect(!quiet.stdout.contains("ratio      to lora") && quiet.stdout.contains("What remains at "))
    #expect(
      quiet.stdout.contains("\nreward                    5 ")
        && !quiet.stdout.contains("\n                         10 "))
  }

  /// A folder, its analysis and its packed form are the same run, and so is an analysis that lies elsewhere: it holds what was logged.
  @Test func theFormsOfARun() throws {
    let (lora, pissa) = (try trained("lora", "lora"), try trained("pissa", "pissa"))
    let pack = bench.path("packed.h5")
    try #require(try spectroscope("pack", pissa, "--out", pack).status == 0)
    let expected = try compared(lora, pissa)
    let alone = try bench.copy(pissa + "/analysis.h5", as: "alone.h5")
    for form in [pissa + "/analysis.h5", pack, alone] {
      let found = try compared(lora, form)
      #expect(found["at_step"]?["points"]?.array?.count == 5)
      #expect(
        try self.found(found, "at_norm", 1, 1, "ratios") == self.found(expected, "at_norm", 1, 1, "ratios"), "\(form)")
    }
    let names = try compared(lora, lora, lora + "/analysis.h5")["runs"]?.array?.map { $0["name"]?.string }
    #expect(names == ["lora", "lora-2", "lora-3"])
  }

  @Test func aControlIsMarkedByTheDirectionsThatItsRunRecorded() throws {
    let lora = try trained("lora", "lora")
    let control = try trained("control", "svd", "--directions", "bottom", "--magnitudes", "top")
    let marks = try found(try compared(lora, control), "at_step", 0, 1, "marks")
    #expect(marks["enrichment_bottom"] == "construction" && marks["enrichment_top"] == .null)
  }

  /// The remedy that the note names is one.
  @Test func differentRanks() throws {
    let (small, large) = (try trained("small", "lora"), try trained("large", "lora", "--rank", "8"))
    let json = try compared(small, large)
    let note =
      "energy, overlap and shift velocity are left out, because k differs: in model.layers.0.mlp.down_proj it is 4 and 8; "
      + "analyse every run again with `spectroscope analyze … --k 4`"
    #expect(json["notes"] == [.string(note)])
    #expect(json["quantities"]?.array?.contains("overlap") == false)
    try analyze(large, "--k", "4")
    let equal = try compared(small, large)
    #expect(equal["notes"] == [] && equal["quantities"]?.array?.contains("overlap") == true)
  }

  // MARK: Refusals

  @Test func anotherBase() throws {
    let lora = try trained("lora", "lora")
    try #require(try bench.analyze(Reference.lora).status == 0)
    let result = try spectroscope("compare", lora, bench.output)
    #expect(result.status == 65 && result.stdout == "")
    #expect(result.stderr.hasPrefix(bench.filled("Error: {}/out.h5: model.layers.0.")), "\(result.stderr)")
    #expect(result.stderr.hasSuffix("Compare runs over the same base\n"))
  }

  @Test func filesThatAreNoAnalyses() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    let missing = try spectroscope("compare", bench.output, bench.path("none.h5"))
    #expect(missing.stderr.hasPrefix(bench.filled("Error: {}/none.h5: cannot open the file")) && missing.status == 66)
    let folder = try spectroscope("compare", Reference.lora, bench.output)
    #expect(
      folder.stderr.contains("expected an analysis file, or a folder that holds analysis.h5") && folder.status == 66)
    try bench.folder.write("text.h5", "no HDF5")
    let text = try spectroscope("compare", bench.output, bench.path("text.h5"), "--json")
    #expect(text.stderr.hasPrefix(bench.filled("Error: {}/text.h5: ")) && text.status == 65 && text.stdout == "")
  }
}
