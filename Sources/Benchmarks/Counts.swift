import Foundation
import OrderedCollections

/// What a repetition of a work takes, whatever the machine's mood.
struct Counts: Equatable {
  enum Kind: String, CaseIterable {
    case instructions
    case allocations
    case bytesRead = "bytes_read"

    var words: String { rawValue.replacing("_", with: " ") }
  }

  var values: OrderedDictionary<Kind, Int>
}

/// Counts a work's instructions and allocations under Valgrind, and the bytes it reads.
struct Counter {
  /// A copy of this executable that Valgrind can read.
  private let program: String
  private let scratch: ScratchFolder

  /// - Throws: `BenchmarkError` where Valgrind or strip is missing.
  init() throws {
    try Self.require("valgrind", package: "valgrind")
    try Self.require("strip", package: "binutils")
    scratch = try ScratchFolder()
    program = scratch.path + "/" + URL(fileURLWithPath: Program.own).lastPathComponent
    // Valgrind 3.19 cannot read the debugging information that Swift writes.
    _ = try MeasuredProcess.run("strip", ["-o", program, Program.own])
  }

  private static func require(_ tool: String, package: String) throws(BenchmarkError) {
    let process = try MeasuredProcess("/usr/bin/env", [tool, "--version"])
    guard process.status == 0 else {
      throw BenchmarkError(
        "\(tool): expected it in the PATH, found none. It is in Debian's package: apt-get install \(package)")
    }
  }

  func count(_ work: CountedWork) throws -> Counts {
    // What a process does once, at its start and in its first repetition, is not the work's: the second and third are counted.
    func difference(_ count: (Int) throws -> Int) throws -> Int { (try count(3) - count(1)) / 2 }
    return Counts(values: [
      .instructions: try difference { try instructions(work, repetitions: $0) },
      .allocations: try difference { try allocations(work, repetitions: $0) },
      .bytesRead: try difference { try bytesRead(work, repetitions: $0) },
    ])
  }

  /// The same kernels of BLAS, the same order of dictionaries, one thread.
  private static let environment: [String: String?] = [
    "OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": "512", "OPENBLAS_NUM_THREADS": "1",
    "SWIFT_DETERMINISTIC_HASHING": "1",
  ]

  private func run(_ command: [String], _ work: CountedWork, repetitions: Int) throws -> MeasuredProcess {
    let arguments = command + [program, "counted", work.rawValue, "--repetitions", "\(repetitions)"]
    return try MeasuredProcess.run(arguments[0], Array(arguments.dropFirst()), environment: Self.environment)
  }

  private func instructions(_ work: CountedWork, repetitions: Int) throws -> Int {
    let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    let text = try run(valgrind, work, repetitions: repetitions).standardError
    return try Self.number(after: /Collected : ([0-9,]+)/, in: text, of: "callgrind")
  }

  private func allocations(_ work: CountedWork, repetitions: Int) throws -> Int {
    let text = try run(["valgrind", "--tool=dhat", "--dhat-out-file=/dev/null"], work, repetitions: repetitions)
    return try Self.number(after: /Total:\s+[0-9,]+ bytes in ([0-9,]+) blocks/, in: text.standardError, of: "dhat")
  }

  private func bytesRead(_ work: CountedWork, repetitions: Int) throws -> Int {
    let text = try run([], work, repetitions: repetitions).standardOutput
    return try Self.number(after: /(\d+)/, in: text, of: "counted")
  }

  private static func number(
    after pattern: Regex<(Substring, Substring)>, in text: String, of tool: String
  ) throws(BenchmarkError) -> Int {
    guard let match = text.firstMatch(of: pattern), let number = Int(match.1.replacing(",", with: "")) else {
      throw BenchmarkError("\(tool): expected a line with its count, found:\n\(text.suffix(500))")
    }
    return number
  }
}
