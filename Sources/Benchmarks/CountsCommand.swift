import ArgumentParser
import Foundation
import OrderedCollections
import Reporting
import Weights

/// `spectroscope-benchmarks counts`.
struct CountsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "counts",
    abstract: "Counts instructions, allocations and bytes read, and holds them to thresholds.json.",
    discussion: """
      Each count is that of one repetition of a small work on one thread with OpenBLAS's Haswell kernels, which any \
      processor with AVX2 has: what it takes more in a process that repeats it. Needs valgrind and strip. Exit code 1 where a count is above its limit.
      """)

  @Option(
    help: ArgumentHelp("What to count, with commas between: \(NameList<CountedWork>.text).", valueName: "names"))
  var only = NameList<CountedWork>.all

  @Option(help: ArgumentHelp("The file of limits.", valueName: "file"))
  var thresholds = Thresholds.path

  @Flag(help: "Write the counts to the file of limits instead.")
  var record = false

  @Option(
    help: ArgumentHelp(
      "With --record: the share by which a count may grow (default: that of the file).", valueName: "share"))
  var margin: Double?

  @Option(help: ArgumentHelp("Write the counts as JSON, too.", valueName: "file"))
  var json: String?

  func validate() throws {
    if let margin, !(margin >= 0 && margin < 1) {
      throw ValidationError("--margin must be at least 0 and below 1, found \(margin)")
    }
    if margin != nil, !record { throw ValidationError("--margin goes with --record alone") }
  }

  func run() throws {
    var limits = try knownLimits()
    let counter = try Counter()
    var table = TextTable(
      columns: [("work", .left)] + Counts.Kind.allCases.flatMap { [($0.words, .right), ("limit", .right)] })
    var found: OrderedDictionary<String, Counts> = [:]
    var complaints: [String] = []
    for work in only.names {
      note("counting \(work.rawValue)")
      let counts = try counter.count(work)
      found[work.rawValue] = counts
      if record { limits.works[work.rawValue] = counts }
      complaints += limits.complaints(work, counts)
      table.add(
        [work.rawValue]
          + Counts.Kind.allCases.flatMap { kind in
            [counts.values[kind].map(String.init) ?? "", limits.limit(kind, of: work).map(String.init) ?? ""]
          })
    }
    print(table.text)
    if record { try PendingFile.write(limits.json.text(pretty: true) + "\n", to: thresholds) }
    if let json {
      let report = Thresholds(margin: limits.margin, libraries: Thresholds.currentLibraries, works: found)
      try PendingFile.write(report.json.text(pretty: true) + "\n", to: json)
    }
    try end(complaints, limits)
  }

  /// The file's, or none yet where they are to be written.
  private func knownLimits() throws(FileError) -> Thresholds {
    guard record else { return try Thresholds(contentsOf: thresholds) }
    var limits = Thresholds(libraries: Thresholds.currentLibraries)
    if FileManager.default.fileExists(atPath: thresholds) {
      let old = try Thresholds(contentsOf: thresholds)
      // Counts of other libraries are worth nothing beside new ones.
      (limits.margin, limits.works) = (old.margin, old.libraries == limits.libraries ? old.works : [:])
    }
    if let margin { limits.margin = margin }
    return limits
  }

  private func end(_ complaints: [String], _ limits: Thresholds) throws {
    guard !complaints.isEmpty else { return }
    for complaint in complaints { note("Error: " + complaint) }
    if limits.libraries != Thresholds.currentLibraries {
      note("The limits were recorded with \(limits.libraries), here is \(Thresholds.currentLibraries).")
    }
    throw ExitCode(1)
  }
}
