import Foundation
import TestSupport
import Testing
import Weights

/// The program itself, as a user of the command line meets it.
enum Program {
  /// The executable beside the test bundle: in the build folder of the process that runs the tests.
  static let path = executable("spectroscope")
  /// The other one, of the benchmarks.
  static let benchmarks = executable("spectroscope-benchmarks")

  private static func executable(_ name: String) -> String {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).map { [$0] } ?? []
    for candidate in own + CommandLine.arguments {
      guard let bundle = candidate.range(of: ".xctest") else { continue }
      let folder = URL(fileURLWithPath: String(candidate[..<bundle.upperBound])).deletingLastPathComponent()
      let program = folder.appendingPathComponent(name).path
      if FileManager.default.isExecutableFile(atPath: program) { return program }
    }
    fatalError("there is no executable \(name) beside the test bundle of \(own + CommandLine.arguments)")
  }

  /// The environment of the tests without what would change the program's output, and with a cache of its own.
  static let environment = ProcessInfo.processInfo.environment.filter {
    !["COLUMNS", "NO_COLOR"].contains($0.key) && !$0.key.hasPrefix("SLURM_")
  }.merging(["SPECTROSCOPE_CACHE": cache.path]) { $1 }

  /// Removed when the process ends, as nothing else would.
  private static let cache: TemporaryFolder = {
    let folder = try! TemporaryFolder()
    atexit { try? FileManager.default.removeItem(atPath: Program.cache.path) }
    return folder
  }()
}

/// Runs the program to its end.
func spectroscope(_ arguments: String..., folder: String? = nil) throws -> ProcessResult {
  try run(Program.path, arguments, environment: Program.environment, folder: folder)
}

/// Runs the program as the user "nobody", from a copy that everyone may execute.
func spectroscopeAsNobody(_ arguments: String..., in folder: TemporaryFolder) throws -> ProcessResult {
  let program = folder.path("spectroscope")
  try FileManager.default.copyItem(atPath: Program.path, toPath: program)
  let change = ["--reuid=65534", "--regid=65534", "--clear-groups", program]
  let cache = folder.path("cache")
  try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
  try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: cache)
  let environment = Program.environment.merging(["SPECTROSCOPE_CACHE": cache]) { $1 }
  return try run("/usr/bin/setpriv", change + arguments, environment: environment)
}

/// Whether a test can give up its rights: root reads everything, so that a refusal has to be seen as somebody else.
let canBecomeNobody = getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")

/// The references that the tests start from.
enum Reference {
  static let llama = ReferenceCase.folder + "/bases/llama"
  static let gpt2 = ReferenceCase.folder + "/bases/gpt2"
  static let lora = ReferenceCase.folder + "/runs/lora"
  /// What there is to say of that run: its log has a NaN among the numbers.
  static let loggedNaN = "warning SP414 logged-non-finite: step 7: the log has no finite grad_norm at step 7"
  static let example = repositoryRoot + "/notebooks-data/example"
}

/// One analysis against the Llama base of the references, in a folder of its own.
struct Bench {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Where `analyze` writes.
  var output: String { folder.path("out.h5") }
  var journal: String { output + ".pieces" }

  func path(_ name: String) -> String { folder.path(name) }

  /// Copies a file or folder into the bench, making the folders on the way to it, and returns its path there.
  @discardableResult
  func copy(_ source: String, as name: String) throws -> String {
    let target = URL(fileURLWithPath: path(name))
    try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: source, toPath: target.path)
    return target.path
  }

  /// A copy of one checkpoint of the LoRA run, under a name that states no step, as an adapter that can be changed.
  func adapter(_ name: String = "adapter", from source: String = Reference.lora + "/checkpoint-5") throws -> Adapter {
    Adapter(path: try copy(source, as: name))
  }

  func analyze(_ source: String, base: String = Reference.llama, _ options: String...) throws -> ProcessResult {
    let arguments = ["analyze", source, "--base", base, "--out", output] + options
    return try run(Program.path, arguments, environment: Program.environment, folder: folder.path)
  }

  /// The rows of `modules.csv` of the bench's analysis, as exported by the program.
  func exportedRows() throws -> [[String: String]] {
    let result = try spectroscope("export", output, "--format", "csv", "--out", path("csv"), "--quiet")
    try #require(result.status == 0, "\(result.stderr)")
    return try CSVTable(path: path("csv/modules.csv")).rows
  }

  /// Whether neither an analysis nor its pieces were left behind.
  var hasNoOutput: Bool { !exists(output) && !exists(journal) }

  func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// `text` with the folder's path in place of `{}`, in which messages are written down.
  func filled(_ text: String) -> String { text.replacing("{}", with: folder.path) }
}

extension ProcessResult {
  /// The lines about findings that `analyze` prints after its table.
  var findings: [String] {
    guard let end = stdout.range(of: "velocity is per step.\n\n") else { return [] }
    return stdout[end.upperBound...].split(separator: "\n").map(String.init)
  }

  /// The first column of the table that `analyze` prints.
  var steps: [String] {
    stdout.prefix { $0 != "M" }.split(separator: "\n").dropFirst().map {
      String($0.split(separator: " ").first ?? "")
    }
  }
}
