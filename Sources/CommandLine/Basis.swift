import ArgumentParser
import Foundation
import Measurement
import Spectra
import Weights

/// `spectroscope basis`.
struct Basis: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Computes the spectral basis of a base model, which every analysis over it uses.",
    discussion: """
      For every weight matrix but embeddings and output layers: all singular values, and the singular vectors of both ends of the \
      spectrum (all of them where the smaller side is at most 1024). One safetensors file a weight, with tensors \
      singular_values, left and right, whose rows are vectors.

      analyze makes what it needs by itself; this makes it ahead, or anew with --verify where a weight has changed. An \
      interruption loses only the weights in flight.

      With --shard several processes each make a part of it in the same folder; the command without makes what is missing then.
      """)

  @Argument(help: ArgumentHelp("The base model's folder.", valueName: "base-dir"))
  var base: String

  @Option(help: ArgumentHelp("The folder to write (default: the one that analyze looks in).", valueName: "dir"))
  var out: String?

  @Option(help: ArgumentHelp("The largest rank it is to serve.", valueName: "n"))
  var k: Int = 32

  @Option(help: "Which vectors to keep where the smaller side is beyond 1024.")
  var vectors: Vectors = .ends

  @Option(help: ArgumentHelp("How many weights to decompose at once (default: the number of cores).", valueName: "n"))
  var jobs: Int?

  @Flag(help: "Compare the SHA-256 of every weight with the one its basis was made of.")
  var verify = false

  @OptionGroup var sharding: ShardArguments
  @OptionGroup var output: OutputOptions

  enum Vectors: String, ExpressibleByArgument, CaseIterable {
    case ends, all
  }

  func validate() throws {
    if k < 1 { throw ValidationError("--k must be at least 1, found \(k)") }
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1, found \(jobs)") }
  }

  func run() throws {
    let folder = BasisFolder(path: out ?? BasisLocation.cache(for: base), verifies: verify)
    let plan = try BasisPlan(
      base: base, folder: folder, keeping: KeptVectors(directions: k, keepsAll: vectors == .all),
      jobs: jobs ?? Analyze.availableCores, shard: sharding.shard)
    if !output.quiet { Console.error(plan.notice) }
    let progress = output.quiet ? nil : ProgressLine()
    Interruption.listen()
    defer { progress?.clear() }
    let outcome = try plan.run(shouldStop: { Interruption.isWished }) { progress?.show($0, "decomposing", "weights") }
    progress?.clear()
    if output.json {
      Console.print(outcome.json(folder: folder.path).text(pretty: true))
    } else if !output.quiet {
      Console.print("\(outcome.computed) computed, \(outcome.kept) kept in \(folder.path)")
    }
    guard outcome.failures.isEmpty else {
      for failure in outcome.failures { Console.error("Error: \(failure)") }
      throw ExitCode(FileError.Kind.badContent.exitCode)
    }
  }
}
