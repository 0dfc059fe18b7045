import ArgumentParser
import Foundation
import Weights

extension CountedWork: ExpressibleByArgument {}

/// Runs a work so many times: `counts` runs it under Valgrind, and by itself for the bytes it reads.
struct CountedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "counted", abstract: "Runs a counted work.", shouldDisplay: false)

  @Argument var work: CountedWork
  @Option var repetitions = 1

  func run() throws {
    Benchmarks.prepareProcess()
    let scratch = try ScratchFolder()
    let run = try work.prepare(in: scratch.path)
    // Reading the count is reading, too.
    let own = try -(Self.bytesRead() - Self.bytesRead())
    let before = try Self.bytesRead()
    for _ in 0..<repetitions { try run() }
    print(try Self.bytesRead() - before - own)
  }

  /// All that this process has asked the system to read, whether it came from the disk or from memory.
  private static func bytesRead() throws(BenchmarkError) -> Int {
    guard let value = Machine.field("rchar", of: "/proc/self/io").flatMap({ Int($0) }) else {
      throw BenchmarkError("/proc/self/io: expected the number of bytes read, found none")
    }
    return value
  }
}
