import ArgumentParser
import Foundation
import RunStore
import Weights

/// `spectroscope pack`.
struct Pack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes one self-contained HDF5 file of a run.",
    discussion: """
      The file holds the run's identity, configuration, checkpoints, records and analysis, and links to no other; h5py, \
      h5dump and h5web open it. inspect, analyze, export and convert take it for the run. What train --resume needs stays \
      behind. A run with a damaged checkpoint is refused.
      """)

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run"))
  var source: String

  @Option(help: ArgumentHelp("The file to write; it must not exist.", valueName: "file"))
  var out: String

  @Flag(help: "Print no notes.")
  var quiet = false

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a file, found an empty text") }
  }

  func run() throws {
    guard !FileManager.default.fileExists(atPath: out) else {
      throw FileError(
        .cannotCreate, path: out, "expected a new file, found one that exists",
        remedy: "Name another file, or delete this one if it is not needed")
    }
    try RunLocation.requireRun(
      at: source, isPackAllowed: false, remedy: "`spectroscope convert --to hdf5` makes one of PEFT adapters")
    try GuardedReading.pack(source, to: out)
    if !quiet { Console.error("wrote \(out)") }
  }
}
