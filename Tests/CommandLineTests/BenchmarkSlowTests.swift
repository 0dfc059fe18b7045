import TestSupport
import Testing
import Weights

/// What the program's work costs, in counts that do not depend on the load, and curves, whose numbers are not looked at. Needs Valgrind.
@Suite(.tags(.slow), .serialized, .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct BenchmarkSlowTests {
  @Test func noCountIsAboveItsLimit() throws {
    let result = try benchmarks("counts")
    #expect(result.status == 0, "\(result.stderr)\(result.stdout)")
  }

  @Test func aCountAboveItsLimitIsNamed() throws {
    let folder = try TemporaryFolder()
    let limits = try folder.write(
      "limits.json",
      """
      {"margin": 0, "libraries": "others", "works": {"adapter": {"instructions": 1000, "allocations": 1000000, "bytes_read": 1000000}}}
      """)
    let result = try benchmarks("counts", "--only", "adapter", "--thresholds", limits)
    let complaints = result.stderr.split(separator: "\n").filter { $0.hasPrefix("Error") }
    #expect(
      complaints.count == 1 && complaints[0].hasPrefix("Error: adapter: instructions: expected at most 1000, found "))
    #expect(result.stderr.contains("The limits were recorded with others, here is OpenBLAS "))
    #expect(result.status == 1)
  }

  @Test func countsAreRecorded() throws {
    let folder = try TemporaryFolder()
    let limits = folder.path("limits.json")
    let recorded = try benchmarks(
      "counts", "--only", "adapter", "--thresholds", limits, "--record", "--margin", "0.03")
    #expect(recorded.status == 0, "\(recorded.stderr)")
    let json = try JSONValue(contentsOf: limits)
    #expect(json["margin"]?.double == 0.03)
    #expect(try #require(json["works"]?["adapter"]?["instructions"]?.int) > 0)
    let held = try benchmarks("counts", "--only", "adapter", "--thresholds", limits)
    #expect(held.status == 0, "\(held.stderr)")
  }

  @Test func aReportIsShownAgain() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("report.json")
    let measured = try benchmarks("curves", "--only", "basis", "--repetitions", "1", "--json", path)
    try #require(measured.status == 0, "\(measured.stderr)")
    let shown = try benchmarks("show", path)
    #expect(shown.stdout == measured.stdout)
    #expect(shown.stderr == "" && shown.status == 0)
    let json = try JSONValue(contentsOf: path)
    #expect(json["curves"]?.array?.map { $0["theory"]?.double } == [1, 0, 3, 2])
    #expect(json["machine"]?.array?.first?["name"]?.string == "processor")
  }
}
