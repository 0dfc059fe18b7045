import ArgumentParser
import Foundation

/// `spectroscope-benchmarks analysis`.
struct AnalysisCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analysis", abstract: "Holds the analysis of 1.5B and 7B shapes to its limits.",
    discussion: """
      series and basis are seconds of the processor of one layer, extrapolated to all: beside the same products by CBLAS \
      alone, and beside the sum of the stages by BLAS and LAPACK. memory is the most that `spectroscope basis` had at once, \
      beside what it announces. update, geometry, full and geometry-7b are seconds of the wall of `spectroscope analyze` on one \
      checkpoint, warm: the basis is there, and a run that does not count has brought the files into memory.

      The data are made by Python and fill 3 GB with all 28 layers, and 2 GB more for their basis, which takes minutes.
      """)

  @Option(
    help: ArgumentHelp("What to measure, with commas between: \(NameList<AnalysisWork>.text).", valueName: "names"))
  var only = NameList<AnalysisWork>.all

  @Option(
    help: ArgumentHelp("A folder that keeps the data, made when missing (default: none is kept).", valueName: "folder"))
  var data: String?

  @Option(help: ArgumentHelp("Layers of 1.5B shapes to make; fewer than 28 are extrapolated.", valueName: "n"))
  var layers = SpectralData.Size.large.layers

  @Option(name: .customLong("layers-7b"), help: ArgumentHelp("Layers of 7B shapes to make, of 32.", valueName: "n"))
  var layers7B = 2

  @Option(help: ArgumentHelp("Modules that the program analyses at once.", valueName: "n"))
  var jobs = 2

  @Option(help: ArgumentHelp("Repetitions, behind one that does not count.", valueName: "n"))
  var repetitions = 3

  @Option(
    help: ArgumentHelp("The Python interpreter that makes the data: it needs torch and safetensors.", valueName: "path")
  )
  var python = "python3"

  @OptionGroup var output: ReportOptions

  func validate() throws {
    for (name, value) in [("layers", layers), ("layers-7b", layers7B), ("jobs", jobs), ("repetitions", repetitions)]
    where value < 1 {
      throw ValidationError("--\(name) must be at least 1, found \(value)")
    }
  }

  func run() throws {
    Benchmarks.prepareProcess()
    let scratch = try ScratchFolder()
    let folder = data ?? scratch.path + "/data"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let measurement = AnalysisMeasurement(
      data: AnalysisData(folder: folder, maker: SpectralData(python: python)),
      comparison: Comparison(repetitions: repetitions), jobs: jobs, layers: [.large: layers, .larger: layers7B],
      scratch: scratch)
    var report = BenchmarkReport(command: "analysis")
    for work in only.names {
      note("measuring \(work.rawValue)")
      report.figures.append(try measurement.figure(of: work))
    }
    report.finish()
    try output.show(report)
  }
}
