import ArgumentParser
import Foundation
import Training
import Weights

/// `spectroscope-benchmarks peers`.
struct PeersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers", abstract: "Times this program beside the usual Python, in turn, and prints the ratios.",
    discussion: """
      The peers need Python with torch, transformers, peft, for grpo trl and, for basis-weightwatcher, weightwatcher. \
      Both sides use the same number of threads. The works named series and basis are about one layer of 1.5B shapes and \
      count seconds of the processor; other layers have the same shapes, so the ratios are those of the whole model.
      """)

  @Option(
    help: ArgumentHelp("What to time, with commas between: \(Self.names.joined(separator: ", ")) (default: all)."))
  var only: String?

  @Option(help: ArgumentHelp("Threads on both sides.", valueName: "n"))
  var threads = 1

  @Option(help: ArgumentHelp("Repetitions of each side, behind one that does not count.", valueName: "n"))
  var repetitions = 7

  @Option(help: ArgumentHelp("The Python interpreter that has the packages.", valueName: "path"))
  var python = "python3"

  @Option(
    help: ArgumentHelp(
      "A folder with more peers, train.py and spectral.py, which some works need.", valueName: "folder"))
  var scripts: String?

  @OptionGroup var output: ReportOptions

  private static let names = TrainingWork.allCases.map(\.rawValue) + SpectralWork.allCases.map(\.rawValue)

  private var wanted: [String] { only.map { $0.split(separator: ",").map(String.init) } ?? Self.names }

  func validate() throws {
    if threads < 1 { throw ValidationError("--threads must be at least 1, found \(threads)") }
    if repetitions < 1 { throw ValidationError("--repetitions must be at least 1, found \(repetitions)") }
    for name in wanted where !Self.names.contains(name) {
      throw ValidationError("--only takes \(Self.names.joined(separator: ", ")); found \(name)")
    }
    if let scripts, !FileManager.default.fileExists(atPath: scripts + "/train.py") {
      throw ValidationError("--scripts must name a folder with train.py, found none in \(scripts)")
    }
  }

  func run() throws {
    Benchmarks.prepareProcess()
    let packages = try Peer.versions(python: python)
    let scratch = try ScratchFolder()
    var report = BenchmarkReport(command: "peers")
    for name in wanted {
      note("timing \(name)")
      if let work = TrainingWork(rawValue: name) { try add(work, base: scratch.path + "/embedded", to: &report) }
      if let work = SpectralWork(rawValue: name) { try add(work, data: scratch.path + "/spectral", to: &report) }
    }
    report.finish(packages: packages)
    try output.show(report)
  }

  private func add(_ work: TrainingWork, base: String, to report: inout BenchmarkReport) throws {
    guard hasScripts(for: work.rawValue, work.needsScripts, &report) else { return }
    if !FileManager.default.fileExists(atPath: base) { try EmbeddedBase.write(to: base) }
    let ours = try work.prepare(threads: threads, base: base)
    let peer = try Peer(
      python: python, script: "training.py", arguments: [work.rawValue, "--base", base] + scriptArguments,
      threads: threads)
    defer { peer.stop() }
    let conditions = work.conditions(threads: threads)
    var figure = try figure(
      work.rawValue, conditions, ours: ours, beside: work.peer, factor: 1,
      theirs: { try peer.run(conditions.clock ?? .wall) })
    figure.target = work.target
    report.figures.append(figure)
  }

  private func add(_ work: SpectralWork, data: String, to report: inout BenchmarkReport) throws {
    guard hasScripts(for: work.rawValue, work.needsScripts, &report) else { return }
    if !FileManager.default.fileExists(atPath: data) {
      try SpectralData(python: python).make(data, size: .large, layers: 1, checkpoints: 20)
    }
    guard let peer = work.peer else { return report.figures.append(try workersFigure(data: data)) }
    let ours = try work.prepare(data: data)
    let process = try Peer(
      python: python, script: "spectral.py", arguments: [peer.work, "--data", data] + scriptArguments, threads: 1)
    defer { process.stop() }
    report.figures.append(
      try figure(
        work.rawValue, work.conditions, ours: ours, beside: peer.text, factor: peer.factor,
        theirs: { try process.run(.processor) }))
  }

  /// What a second worker costs in processor time.
  private func workersFigure(data: String) throws -> Figure {
    try figure(
      SpectralWork.basisWorkers.rawValue, SpectralWork.basisWorkers.conditions,
      ours: { try SpectralWork.basis(data, jobs: 1) }, beside: "this program with two workers", factor: 1
    ) {
      try Clock.processor.sample { try SpectralWork.basis(data, jobs: 2) }
    }
  }

  private func figure(
    _ name: String, _ conditions: Figure.Conditions, ours: () throws -> String, beside peer: String, factor: Double,
    theirs: () throws -> Sample
  ) throws -> Figure {
    let clock = conditions.clock ?? .wall
    let (own, others) = try Comparison(repetitions: repetitions).run({ try clock.sample(ours) }, beside: theirs)
    return Figure(
      name: name, conditions: conditions, own: Figure.Side("this program", own),
      peer: Figure.Side(peer, others, factor: factor))
  }

  private var scriptArguments: [String] { scripts.map { ["--scripts", $0] } ?? [] }

  private func hasScripts(for name: String, _ needsThem: Bool, _ report: inout BenchmarkReport) -> Bool {
    guard needsThem, scripts == nil else { return true }
    report.omissions.append("\(name) is left out: its peer is in a folder of scripts, which --scripts names.")
    return false
  }
}
