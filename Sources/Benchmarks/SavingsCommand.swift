import ArgumentParser
import Foundation
import Training

/// `spectroscope-benchmarks savings`.
struct SavingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "savings", abstract: "Times the training core beside itself without one of its savings.",
    discussion: """
      Needs no Python. Each saving is left out in turn, with all the others in place; what it is worth is how many times as \
      fast the work is with it. None changes a result beyond rounding.
      """)

  @Option(
    help: ArgumentHelp("What to leave out, with commas between: \(NameList<Saving>.text).", valueName: "names"))
  var only = NameList<Saving>.all

  @Option(help: ArgumentHelp("Threads on both sides.", valueName: "n"))
  var threads = 1

  @Option(help: ArgumentHelp("Repetitions of each side, behind one that does not count.", valueName: "n"))
  var repetitions = 7

  @OptionGroup var output: ReportOptions

  func validate() throws {
    if threads < 1 { throw ValidationError("--threads must be at least 1, found \(threads)") }
    if repetitions < 1 { throw ValidationError("--repetitions must be at least 1, found \(repetitions)") }
  }

  func run() throws {
    Benchmarks.prepareProcess()
    var report = BenchmarkReport(command: "savings")
    for saving in only.names {
      for work in saving.works {
        note("timing \(work.rawValue) with and without \(saving.rawValue)")
        report.figures.append(try figure(work, saving))
      }
    }
    report.finish()
    try output.show(report)
  }

  private func figure(_ work: TrainingWork, _ saving: Saving) throws -> Figure {
    let conditions = work.conditions(threads: threads)
    let clock = conditions.clock ?? .wall
    let with = try work.prepare(threads: threads, base: "")
    let without = try work.prepare(threads: threads, base: "", without: saving)
    let (own, peer) = try Comparison(repetitions: repetitions).run(
      { try clock.sample(with) }, beside: { try clock.sample(without) })
    return Figure(
      name: "\(work.rawValue) \(saving.rawValue)", conditions: conditions, own: Figure.Side("all savings", own),
      peer: Figure.Side("without \(saving.rawValue)", peer))
  }
}
