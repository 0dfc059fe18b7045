import ArgumentParser
import Foundation
import Weights

/// `spectroscope integrate`.
struct Integrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints what plugs the program into a trainer or a cluster.",
    discussion: """
      transformers: a Python file with a callback for the Hugging Face Trainer and TRL, which needs nothing but what they need. Save it beside the training script:

        spectroscope integrate transformers --out spectroscope_callback.py

      verl, openrlhf: the few lines that make their training loops obey the stop file of `spectroscope watch --stop-file`, and where they go.

      slurm: a script for sbatch that analyses a run in the tasks of a job array and joins what they found. Edit its first lines:

        spectroscope integrate slurm --out analyze.sbatch
      """)

  /// What it is plugged into.
  enum Host: String, CaseIterable, ExpressibleByArgument {
    case transformers, verl, openrlhf, slurm

    var text: String {
      let bytes =
        switch self {
        case .transformers: PackageResources.spectroscope_callback_py
        case .verl: PackageResources.verl_md
        case .openrlhf: PackageResources.openrlhf_md
        case .slurm: PackageResources.analyze_sbatch
        }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  @Argument(help: "The trainer or cluster.")
  var host: Host

  @Option(help: ArgumentHelp("Write to this file instead of standard output.", valueName: "file"))
  var out: String?

  @Flag(help: "Print no notes.")
  var quiet = false

  func validate() throws {
    if let out, out.isEmpty { throw ValidationError("--out must name a file, found an empty text") }
  }

  func run() throws {
    guard let out else { return Console.print(host.text.trimmingCharacters(in: .newlines)) }
    try PendingFile.write(host.text, to: out)
    if !quiet { Console.error("wrote \(out)") }
  }
}
