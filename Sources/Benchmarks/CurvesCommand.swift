import ArgumentParser
import Foundation
import Weights

/// `spectroscope-benchmarks curves`.
struct CurvesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "curves",
    abstract: "Measures how time and memory grow with modules, rank, hidden size and checkpoints.",
    discussion: """
      Every point is a process of its own on data drawn from a seed, on one thread: seconds of the processor, the least of \
      some repetitions, and the most memory beyond that of the data it was given. Exponents are fitted to the logarithms; \
      those of theory hold where the varied size is large.
      """)

  @Option(
    help: ArgumentHelp("What to measure, with commas between: \(NameList<ScaledWork>.text).", valueName: "names"))
  var only = NameList<ScaledWork>.all

  @Option(help: ArgumentHelp("Repetitions of each point.", valueName: "n"))
  var repetitions = 2

  @OptionGroup var output: ReportOptions

  func validate() throws {
    if repetitions < 1 { throw ValidationError("--repetitions must be at least 1, found \(repetitions)") }
  }

  func run() throws {
    var report = BenchmarkReport(command: "curves")
    for sweep in Sweep.all where only.names.contains(sweep.work) {
      note("measuring \(sweep.work.rawValue) against \(sweep.varied)")
      report.curves += try sweep.curves(repetitions: repetitions)
    }
    report.finish()
    try output.show(report)
  }
}

/// One size that is varied while the others stay.
struct Sweep {
  let work: ScaledWork
  let varied: String
  let sizes: [Int]
  /// The sizes that stay, as options of `scaled`.
  let fixed: [String: Int]
  /// The exponents that theory gives.
  let time: Double
  let memory: Double?

  // Sizes are where the leading term outweighs the others; where there is a base, beyond 1024, up to which all vectors are kept.
  static let all = [
    Sweep(
      work: .update, varied: "modules", sizes: [8, 16, 32, 64], fixed: ["hidden": 512, "rank": 16], time: 1, memory: nil
    ),
    Sweep(
      work: .update, varied: "checkpoints", sizes: [4, 8, 16, 32], fixed: ["hidden": 512, "rank": 16], time: 1,
      memory: 0
    ),
    Sweep(
      work: .update, varied: "hidden", sizes: [2048, 4096, 8192, 16384], fixed: ["modules": 2, "rank": 32], time: 1,
      memory: 1),
    Sweep(
      work: .update, varied: "rank", sizes: [32, 64, 128, 256], fixed: ["modules": 2, "hidden": 4096], time: 2,
      memory: 1),
    Sweep(
      work: .geometry, varied: "hidden", sizes: [1152, 1408, 1664, 2048],
      fixed: ["modules": 1, "rank": 16, "checkpoints": 1], time: 2, memory: 2),
    Sweep(
      work: .geometry, varied: "checkpoints", sizes: [1, 2, 4], fixed: ["modules": 1, "rank": 16, "hidden": 1152],
      time: 1, memory: nil),
    Sweep(
      work: .full, varied: "hidden", sizes: [1152, 1408, 1664, 2048],
      fixed: ["modules": 1, "rank": 16, "checkpoints": 1], time: 3,
      memory: 2),
    Sweep(work: .basis, varied: "modules", sizes: [2, 4, 8, 16], fixed: ["hidden": 512], time: 1, memory: 0),
    Sweep(
      work: .basis, varied: "hidden", sizes: [1152, 1408, 1664, 2048], fixed: ["modules": 1, "rank": 16], time: 3,
      memory: 2),
  ]

  func curves(repetitions: Int) throws -> [Curve] {
    let reports = try sizes.map { try point($0, repetitions: repetitions) }
    func curve(_ unit: Figure.Unit, _ key: String, theory: Double) throws -> Curve {
      let points = zip(sizes, reports).compactMap { size, report in
        report[key]?.double.map { Curve.Point(size: size, value: $0) }
      }
      return Curve(work: work.rawValue, varied: varied, unit: unit, points: points, theory: theory)
    }
    let times = try curve(.seconds, "seconds", theory: time)
    return try [times] + (memory.map { [try curve(.mebibytes, "mebibytes", theory: $0)] } ?? [])
  }

  private func point(_ size: Int, repetitions: Int) throws -> JSONValue {
    let options = fixed.merging([varied: size]) { $1 }.flatMap { ["--\($0)", "\($1)"] }
    let process = try MeasuredProcess.run(
      Program.own, ["scaled", work.rawValue, "--repetitions", "\(repetitions)"] + options)
    return try JSONValue(parsing: Array(process.standardOutput.utf8))
  }
}
