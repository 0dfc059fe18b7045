import ArgumentParser
import Foundation
import LinearAlgebra
import Weights

extension ScaledWork: ExpressibleByArgument {}

/// One point of a curve, measured in a process of its own: `curves` runs it.
struct ScaledCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaled", abstract: "Measures one point of a curve.", shouldDisplay: false)

  @Argument var work: ScaledWork
  @Option var modules = SyntheticModel().modules
  @Option var rank = SyntheticModel().rank
  @Option var hidden = SyntheticModel().hidden
  @Option var checkpoints = SyntheticModel().checkpoints
  @Option var repetitions = 3

  func run() throws {
    BLASLibrary.useOneThread()
    let scratch = try ScratchFolder()
    let model = SyntheticModel(modules: modules, rank: rank, hidden: hidden, checkpoints: checkpoints)
    let work = try work.prepare(model, in: scratch.path)
    // Memory first: pages that were freed and kept would hide what the work needs.
    let mebibytes = try ResidentMemory.growth(during: work)
    Memory.keepFreedPages()
    // Work of some milliseconds is repeated until the least is one that nothing disturbed.
    var seconds: [Double] = []
    while seconds.count < repetitions || seconds.reduce(0, +) < 0.5 {
      seconds.append(try Clock.processor.time(work).seconds)
    }
    // The least of all: what else the machine does only adds.
    let report: JSONValue = [
      "seconds": .number(seconds.min()!), "mebibytes": .number(mebibytes),
    ]
    print(report.text())
  }
}

/// The memory of this process.
enum ResidentMemory {
  /// How much more there was at the most while `work` ran than before, in MiB.
  static func growth(during work: () throws -> Void) throws -> Double {
    Memory.returnFreedPages()
    // Has the kernel forget the most there ever was.
    guard let file = fopen("/proc/self/clear_refs", "w") else {
      throw BenchmarkError("/proc/self/clear_refs cannot be written; the memory of a work is measured with it")
    }
    fputs("5", file)
    fclose(file)
    let before = try kibibytes("VmRSS")
    try work()
    return Double(max(1, try kibibytes("VmHWM") - before)) / 1024
  }

  private static func kibibytes(_ name: String) throws(BenchmarkError) -> Int {
    guard let text = Machine.field(name, of: "/proc/self/status"),
      let value = text.split(separator: " ").first.flatMap({ Int($0) })
    else { throw BenchmarkError("/proc/self/status: expected \(name), found none") }
    return value
  }
}
