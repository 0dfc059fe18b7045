import Foundation
import TestSupport
import Testing
import Weights

/// Runs `spectroscope-benchmarks` to its end.
func benchmarks(_ arguments: String..., environment: [String: String] = Program.environment) throws -> ProcessResult {
  try run(Program.benchmarks, arguments, environment: environment)
}

/// The executable of the benchmarks as text. No test looks at a time.
@Suite struct BenchmarkTests {
  @Test func helpNamesTheSubcommandsOfAUser() throws {
    let result = try benchmarks("--help")
    let listed = result.stdout.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
    let names = listed.compactMap { $0.split(separator: " ").first.map(String.init) }
    #expect(names == ["-h,", "peers", "savings", "analysis", "curves", "counts", "show", "See"])
    #expect(result.stderr == "" && result.status == 0)
  }

  @Test(arguments: [
    (
      ["peers", "--only", "steps"],
      "Error: --only takes laboratory, step, "
    ),
    (["--only", "steps"], "Error: --only takes laboratory, step, "),
    (["peers", "--threads", "0"], "Error: --threads must be at least 1, found 0"),
    (["peers", "--scripts", "/nowhere"], "Error: --scripts must name a folder with train.py, found none in /nowhere"),
    (["analysis", "--only", "update,deep"], "Error: The value 'update,deep' is invalid for '--only <names>'"),
    (["analysis", "--layers", "0"], "Error: --layers must be at least 1, found 0"),
    (["curves", "--only", "train"], "Error: The value 'train' is invalid for '--only <names>'"),
    (["counts", "--margin", "0.1"], "Error: --margin goes with --record alone"),
    (
      ["show", "monday.json", "tuesday.json"],
      "Error: show takes one report, found 2: times of two runs cannot be compared, as the machine did other things "
        + "meanwhile. Run both sides in one"
    ),
  ])
  func misuse(arguments: [String], message: String) throws {
    let result = try run(Program.benchmarks, arguments, environment: Program.environment)
    #expect(result.stderr.hasPrefix(message), "\(result.stderr)")
    #expect(result.stdout == "" && result.status == 64)
  }

  @Test func aMissingPythonIsNamed() throws {
    let result = try benchmarks("peers", "--only", "step", "--python", "/nowhere/python")
    #expect(result.stderr.hasPrefix("Error: /nowhere/python: expected a Python interpreter for the peers, found: "))
    #expect(result.stderr.hasSuffix("--python names one that has them\n"))
    #expect(result.stdout == "" && result.status == 1)
  }

  @Test func aMissingValgrindIsNamedWithItsPackage() throws {
    let folder = try TemporaryFolder()
    let result = try benchmarks("counts", environment: Program.environment.merging(["PATH": folder.path]) { $1 })
    #expect(
      result.stderr
        == "Error: valgrind: expected it in the PATH, found none. It is in Debian's package: apt-get install valgrind\n"
    )
    #expect(result.stdout == "" && result.status == 1)
  }

  @Test func aFigureIsShownWithWhatItIsHeldAgainst() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("report.json", Self.report)
    let shown = try benchmarks("show", path)
    #expect(
      shown.stdout == """
        run        one, analysis
        processor  Z80, 1 cores

        figure    here                                  beside it           here ÷ beside it                       target          clock      threads  size, depth, precision
        geometry  28.0 (14.0–42.0) s, extrapolated ×14  10.0 (5.00–20.0) s  2.80 (2.10–2.80), 0.357 times as fast  ≤ 1.5×: MISSED  processor        1  7B, geometry, Float64
        memory    300 MiB                                                                                          ≤ 400 MiB: met                   2  7B, geometry, Float64

        geometry
          here: the whole: 7 modules
          beside it: its products: 4 products
        memory
          here: the most at once: as told

        grpo is left out.

        """)
    #expect(shown.status == 0)
  }

  @Test func anotherDocumentIsNoReport() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("report.json", #"{"format": 7}"#)
    let result = try benchmarks("show", path)
    #expect(
      result.stderr == "Error: \(path): expected a report of format 1, found another JSON document. Pass a file that "
        + "--json of this program has written\n")
    #expect(result.status == 1)
  }

  private static let report = """
    {"format": 1, "run": "one", "command": "analysis", "machine": [{"name": "processor", "value": "Z80, 1 cores"}],
     "figures": [
       {"name": "geometry", "unit": "s",
        "conditions": {"clock": "processor", "threads": 1, "size": "7B", "depth": "geometry", "precision": "Float64"},
        "own": {"work": "the whole", "values": [14, 28, 42], "said": "7 modules", "extrapolated": 14},
        "peer": {"work": "its products", "values": [5, 10, 20], "said": "4 products", "extrapolated": 1},
        "target": {"kind": "times_peer", "value": 1.5}},
       {"name": "memory", "unit": "MiB",
        "conditions": {"clock": null, "threads": 2, "size": "7B", "depth": "geometry", "precision": "Float64"},
        "own": {"work": "the most at once", "values": [300], "said": "as told", "extrapolated": 1},
        "peer": null, "target": {"kind": "at_most", "value": 400}}],
     "curves": [], "omissions": ["grpo is left out."]}
    """
}
