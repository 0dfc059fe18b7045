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
    discussion: """
      The peers need Python with torch, transformers, peft, for grpo trl and, for basis-weightwatcher, weightwatcher. Both sides use the same \
      number of threads. The works named series and basis are about one layer of 1.5B shapes and count seconds of the \
      processor; other layers have the same shapes, so the ratios are those of the whole model.
      """)

  @Option(help: "What to time, with commas between.")
  var only = Self.names.joined(separator: ",")

  private static let names = TrainingWork.allCases.map(\.rawValue) + SpectralWork.allCases.map(\.rawValue)

  @Option(help: "Threads on both sides.")
  var threads = 1

  @Option(help: "Repetitions of each side, behind one that does not count.")
  var repetitions = 7

  @Option(help: "The Python interpreter that has the packages.")
  var python = "python3"

  func validate() throws {
    if threads < 1 || repetitions < 1 { throw ValidationError("--threads and --repetitions must be at least 1") }
    for name in only.split(separator: ",") where !Self.names.contains(String(name)) {
      throw ValidationError("expected \(Self.names), found \(name)")
    }
  }

  func run() throws {
    BLASLibrary.useOneThread()
    Memory.keepFreedPages()
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    print("OpenBLAS kernel \(BLASLibrary.kernel), \(threads) thread(s), \(repetitions) repetitions of each in turn")
    do {
      for name in only.split(separator: ",").map(String.init) {
        if let work = TrainingWork(rawValue: name) { try measure(work, base: folder + "/embedded") }
        if let work = SpectralWork(rawValue: name) { try measure(work, data: folder + "/spectral") }
      }
    } catch let error as BenchmarkError {
      FileHandle.standardError.write(Data("Error: \(error)\n".utf8))
      throw ExitCode(1)
    }
  }

  private func measure(_ work: TrainingWork, base: String) throws {
    if !FileManager.default.fileExists(atPath: base) { try EmbeddedBase.write(to: base) }
    let ours = try work.prepare(threads: threads, base: base)
    let peer = try Peer(
      python: python, script: "training.py", arguments: [work.rawValue, "--base", base], threads: threads)
    defer { peer.stop() }
    try compare(work.rawValue, beside: work.peer, clock: Self.wallSeconds, ours: ours, theirs: peer.run)
  }

  private func measure(_ work: SpectralWork, data: String) throws {
    if !FileManager.default.fileExists(atPath: data) {
      let maker = try Peer(python: python, script: "spectral.py", arguments: ["make", "--out", data], threads: threads)
      maker.stop()
    }
    guard let peer = work.peer else { return try compareWorkers(data: data) }
    let ours = try work.prepare(data: data)
    let process = try Peer(
      python: python, script: "spectral.py", arguments: [peer.work, "--data", data], threads: threads)
    defer { process.stop() }
    try compare(work.rawValue, beside: peer.text, clock: Self.processorSeconds, ours: ours) {
      let (seconds, report) = try process.run()
      return (seconds * peer.factor, report)
    }
  }

  /// What a second worker costs in processor time.
  private func compareWorkers(data: String) throws {
    try compare(
      SpectralWork.basisWorkers.rawValue, beside: "two workers, processor seconds", clock: Self.processorSeconds,
      ours: { try SpectralWork.basis(data, jobs: 1) }
    ) {
      let began = Self.processorSeconds()
      let said = try SpectralWork.basis(data, jobs: 2)
      return (Self.processorSeconds() - began, .string(said))
    }
  }

  /// Runs both sides in turn and prints how many times as fast this one is.
  private func compare(
    _ name: String, beside peer: String, clock: () -> Double, ours: () throws -> String,
    theirs: () throws -> (seconds: Double, report: JSONValue)
  ) throws {
    var (own, others): ([Double], [Double]) = ([], [])
    for repetition in 0...repetitions {
      let began = clock()
      let said = try ours()
      let seconds = clock() - began
      let (peerSeconds, report) = try theirs()
      if repetition == 0 {
        print("\n\(name), beside \(peer)\n  here \(said); there \(report.text())")
      } else {
        own.append(seconds)
        others.append(peerSeconds)
      }
    }
    let ratios = zip(others, own).map { $0 / $1 }
    print(
      String(
        format: "  here %.4f s, there %.4f s (medians): %.2f times as fast (%.2f to %.2f)", median(own), median(others),
        median(ratios), ratios.min()!, ratios.max()!))
  }

  private static func wallSeconds() -> Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

  /// Seconds of the processor that this process has used, on all its threads.
  private static func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
