import ArgumentParser
import Foundation
import Measurement
import RunStore
import Weights

/// `spectroscope merge`.
struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Joins the shards of an analysis to one file.",
    discussion: """
      `spectroscope analyze --shard i/n` writes its part to a file of its own in the folder <out>.shards. This makes of all of them the \
      file <out> that one process would have written, and leaves them as they are. It names what is missing or damaged, and refuses \
      shards of different n, inputs, options, versions or kernels; then the exit code is 65 and nothing is written.

      basis and lab need no joining: what their shards make lies in the folder where others look for it. The same command without --shard \
      keeps all of it, makes what is missing, and writes the tables of lab.
      """)

  @Argument(
    help: ArgumentHelp(
      "What --out of the shards named, or a run folder, or a folder of shards; several where the machines had none in common.",
      valueName: "output"))
  var outputs: [String]

  @Option(help: ArgumentHelp("The analysis file to write (default: the output of the shards).", valueName: "file"))
  var out: String?

  @Flag(help: "Join pieces whose last digits differ, since other kernels computed them; the file records which.")
  var allowMixedKernels = false

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if out?.isEmpty == true { throw ValidationError("--out must name a file, found an empty text") }
    if outputs.contains("") { throw ValidationError("expected the output of shards, found an empty text") }
    if outputs.count > 1, out == nil { throw ValidationError("--out must say where shards of several outputs go") }
    _ = try outputs.map { try Self.place($0) }
  }

  func run() throws {
    let places = try outputs.map { try Self.place($0) }
    let path = out ?? places[0].output
    let merge = ShardMerge(folders: places.map(\.folder), output: path, allowsMixedKernels: allowMixedKernels)
    let outcome = try merge.run()
    try AnalysisEnding(outcome: outcome, path: path, output: output).report()
  }

  /// Where the shards of an output are, and what it is.
  private static func place(_ named: String) throws -> (folder: String, output: String) {
    let path = named.count > 1 && named.hasSuffix("/") ? String(named.dropLast()) : named
    if path.hasSuffix(ShardFolder.suffix) { return (path, String(path.dropLast(ShardFolder.suffix.count))) }
    let output = RunFolder.isRun(at: path) ? path + "/" + RunLayout.analysis : path
    let folder = ShardFolder.path(ofOutput: output)
    var isFolder: ObjCBool = false
    // A folder without shards beside it is one that basis or lab has made.
    if !FileManager.default.fileExists(atPath: folder), output == path,
      FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    {
      throw ValidationError(
        "expected the output of analyze --shard, found the folder \(named). The shards of basis and lab need no joining: the same "
          + "command without --shard keeps what they made, makes what is missing, and writes the tables of lab")
    }
    return (folder, output)
  }
}
