import Foundation
import TestSupport
import Testing

/// `report`, of runs that the program trains and analyses.
@Suite struct ReportTests {
  let bench = try! Bench()
  private var out: String { bench.path("report.html") }

  private func trained(_ name: String, _ method: String = "lora", rate: String = "1e-3", analyses: Bool = true) throws
    -> String
  {
    let folder = bench.path(name)
    let training = try spectroscope(
      "train", "--method", method, "--learning-rate", rate, "--steps", "10", "--out", folder, "--quiet")
    try #require(training.status == 0, "\(training.stderr)")
    if analyses { try #require(try spectroscope("analyze", folder, "--quiet").status == 0) }
    return folder
  }

  private func page() throws -> String { try String(contentsOfFile: out, encoding: .utf8) }

  @Test func oneRunAndSeveral() throws {
    let (lora, pissa) = (try trained("lora"), try trained("pissa", "pissa"))
    let one = try spectroscope("report", lora, "--out", out)
    #expect(one.status == 0 && one.stdout == out + "\n" && one.stderr == "")
    #expect(try page().contains("<h1>lora</h1>") && !page().contains("id=\"comparison\""))
    let two = try spectroscope("report", lora, pissa, "--out", out, "--quiet")
    #expect(two.status == 0 && two.stdout == "" && two.stderr == "")
    let html = try page()
    #expect(html.contains("<h1>lora · pissa</h1>") && html.contains("<summary>At equal steps</summary>"))
    // One learning rate makes no map.
    #expect(!html.contains("id=\"map\""))
    #expect(html.contains("spectroscope report \(lora) \(pissa) --out \(out)"))
    #expect(try spectroscope("report", lora, pissa, "--out", out, "--quiet").status == 0)
    #expect(try page() == html)
  }

  /// An analysis of another trainer's checkpoints, whose modules and depth are its own.
  @Test func anAnalysisOfCheckpoints() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    let result = try spectroscope("report", bench.output, "--out", out)
    #expect(result.status == 0, "\(result.stderr)")
    #expect(try page().contains("logged-non-finite"))
    #expect(
      try page().contains(
        "spectroscope analyze \(Reference.lora) --base \(Reference.llama) --depth auto --out \(bench.output)\nspectroscope report"
      ))
  }

  /// All runs of a grid are on the map, and those with an analysis have all the rest.
  @Test func aGrid() throws {
    let grid = bench.path("grid")
    let training = try spectroscope(
      "lab", "--methods", "lora,pissa", "--learning-rates", "1e-3,1e-2", "--seeds", "0", "--steps", "6", "--out", grid,
      "--quiet")
    try #require(training.status == 0, "\(training.stderr)")
    let alone = try spectroscope("report", grid, "--out", out)
    #expect(alone.status == 0, "\(alone.stderr)")
    #expect(alone.stderr.split(separator: "\n").count == 4)
    #expect(alone.stderr.hasPrefix("Note: not analysed, so only on the map: \(grid)/lora-lr0.001-seed0\n"))
    #expect(try page().contains("<h1>A grid of runs</h1>") && page().contains("id=\"map\""))
    #expect(try page().contains("<code>spectroscope analyze \(grid)/lora-lr0.001-seed0</code>"))
    try #require(try spectroscope("analyze", grid + "/pissa-lr0.01-seed0", "--quiet").status == 0)
    let some = try spectroscope("report", grid, "--out", out)
    #expect(some.stderr.split(separator: "\n").count == 3)
    #expect(try page().contains("<h1>pissa-lr0.01-seed0</h1>") && page().contains("id=\"map\""))
  }

  // MARK: Refusals

  @Test func runsWithoutAnAnalysis() throws {
    let lora = try trained("lora", analyses: false)
    let result = try spectroscope("report", lora, "--out", out)
    #expect(result.status == 66 && result.stdout == "" && !bench.exists(out))
    #expect(result.stderr.hasSuffix("Make one with `spectroscope analyze`\n"), "\(result.stderr)")
    let missing = try spectroscope("report", bench.path("none.h5"), "--out", out)
    #expect(missing.status == 66 && missing.stderr.hasPrefix(bench.filled("Error: {}/none.h5: cannot open the file")))
  }

  /// It is written whole or not at all: what was there stays.
  @Test func aDamagedFile() throws {
    try bench.folder.write("report.html", "old")
    let broken = try bench.folder.write("broken.h5", [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0])
    let result = try spectroscope("report", broken, "--out", out)
    #expect(result.status == 65 && result.stderr.hasPrefix("Error: \(broken): "), "\(result.stderr)")
    #expect(try page() == "old")
  }

  @Test func aPlaceThatCannotBeWritten() throws {
    let lora = try trained("lora")
    let result = try spectroscope("report", lora, "--out", bench.path("none/report.html"))
    #expect(result.status == 73, "\(result.stderr)")
  }
}
