import ArgumentParser
import Foundation
import LinearAlgebra
import Training
import Weights

/// `spectroscope-benchmarks`: this program beside its peers, in turn, in one run.
@main
struct Benchmarks: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spectroscope-benchmarks",
    abstract: "Times this program beside the usual Python, in turn, and prints the ratios.",
    discussion: "The peers need Python with torch, transformers and peft. Both sides use the same number of threads.")

  @Option(help: "What to time, with commas between.")
  var only = TrainingWork.allCases.map(\.rawValue).joined(separator: ",")

  @Option(help: "Threads on both sides.")
  var threads = 1

  @Option(help: "Repetitions of each side, behind one that does not count.")
  var repetitions = 7

  @Option(help: "The Python interpreter that has the packages.")
  var python = "python3"

  func validate() throws {
    if threads < 1 || repetitions < 1 { throw ValidationError("--threads and --repetitions must be at least 1") }
    for name in only.split(separator: ",") where TrainingWork(rawValue: String(name)) == nil {
      throw ValidationError("expected \(TrainingWork.allCases.map(\.rawValue)), found \(name)")
    }
  }

  func run() throws {
    BLASLibrary.useOneThread()
    let base = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: base) }
    try EmbeddedBase.write(to: base)
    print("OpenBLAS kernel \(BLASLibrary.kernel), \(threads) thread(s), \(repetitions) repetitions of each in turn")
    for name in only.split(separator: ",") {
      let work = TrainingWork(rawValue: String(name))!
      do {
        try measure(work, base: base)
      } catch let error as BenchmarkError {
        FileHandle.standardError.write(Data("Error: \(error)\n".utf8))
        throw ExitCode(1)
      }
    }
  }

  private func measure(_ work: TrainingWork, base: String) throws {
    let ours = try work.prepare(threads: threads, base: base)
    let peer = try Peer(
      python: python, script: "training.py", arguments: [work.rawValue, "--base", base], threads: threads)
    defer { peer.stop() }
    var (own, theirs): ([Double], [Double]) = ([], [])
    for repetition in 0...repetitions {
      let began = ContinuousClock.now
      let said = try ours()
      let seconds = (ContinuousClock.now - began) / .seconds(1)
      let (peerSeconds, report) = try peer.run()
      if repetition == 0 {
        print("\n\(work.rawValue), beside \(work.peer)\n  here \(said); there \(report.text())")
      } else {
        own.append(seconds)
        theirs.append(peerSeconds)
      }
    }
    let ratios = zip(theirs, own).map { $0 / $1 }
    print(
      String(
        format: "  here %.4f s, there %.4f s (medians): %.2f times as fast (%.2f to %.2f)", median(own), median(theirs),
        median(ratios), ratios.min()!, ratios.max()!))
  }

  private func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
