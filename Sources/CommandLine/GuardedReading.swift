import ArgumentParser
import Foundation
import RunStore
import Weights

/// Reads HDF5 files in a child process of limited memory and time.
///
/// About one in a hundred random mutations of an HDF5 file crashes the HDF5 library, and nothing inside a process can stop that.
/// So a child reads the file and writes what it understood to a new one, which is sound and which this process then reads.
enum GuardedReading {
  /// The analysis in the HDF5 file at `path`. A path that is no HDF5 file goes to the reader as it is: it crashes nothing, and the
  /// reader says best what it found.
  ///
  /// - Throws: `FileError` for a file that is missing, damaged, of another format or of a newer version.
  static func analysis(at path: String) throws(FileError) -> Analysis {
    guard HDF5File.hasSignature(path) else { return try AnalysisFile.read(from: path) }
    let copy = FileManager.default.temporaryDirectory
      .appendingPathComponent("spectroscope-\(UUID().uuidString).h5").path
    defer { try? FileManager.default.removeItem(atPath: copy) }
    switch try child(CopyAnalysis.self, [path, copy]) {
    case .finished: return try AnalysisFile.read(from: copy)
    case .failed(var error):
      // That the copy cannot be written is the fault of what was read.
      if error.path == copy { (error.kind, error.path) = (.badContent, path) }
      throw error
    case .crashed:
      throw FileError(
        .badContent, path: path,
        "expected an analysis file, found a damaged or unsafe HDF5 file: reading it crashes HDF5",
        remedy: "Run `spectroscope analyze` again to write it anew")
    }
  }

  /// The run folder or packed run at `path`, with its sound checkpoints extracted.
  ///
  /// - Parameter mendsIndex: make `run.h5` again where it is missing.
  /// - Throws: `FileError` as `ExtractedRun` does.
  static func run(at path: String, mendsIndex: Bool = false) throws(FileError) -> ExtractedRun {
    let found = try RunLocation.folder(of: path) ?? path
    return try ExtractedRun(of: found, named: found == path ? nil : path) { run, folder throws(FileError) in
      let flags = mendsIndex ? ["--mends-index"] : []
      // A child that crashes is followed by one that goes on behind the file it crashed on, of which there is an end.
      for _ in 0...(try RunLayout.steps(in: run).count + 3) {
        switch try child(ExtractRun.self, [run, folder], flags: flags) {
        case .finished: return
        case .failed(let error): throw error
        case .crashed: continue
        }
      }
    }
  }

  /// Makes one file of the run folder at `run`.
  ///
  /// - Throws: `FileError` where a file of the run is damaged, or the file cannot be written.
  static func pack(_ run: String, to path: String) throws(FileError) {
    switch try child(PackRun.self, [run, path]) {
    case .finished: return
    case .failed(let error): throw error
    case .crashed:
      throw FileError(
        .badContent, path: run, "expected a run, found one with a damaged or unsafe HDF5 file: reading it crashes HDF5",
        remedy: "`spectroscope inspect` names the file")
    }
  }

  /// Makes a run folder of the packed run at `path`; of another file it makes nothing.
  ///
  /// - Throws: `FileError` where the packed run is damaged, or the folder cannot be written.
  static func unpack(_ path: String, to folder: String) throws(FileError) {
    switch try child(UnpackRun.self, [path, folder]) {
    case .finished: return
    case .failed(let error): throw error
    case .crashed:
      // Of a file that crashes HDF5 at once, its reader says what it expected.
      guard RunFolder.isRun(at: folder) else { return }
      throw FileError(
        .badContent, path: path,
        "expected a packed run, found one that is damaged or unsafe: reading it crashes HDF5, and \(folder) holds a part of it",
        remedy: "Restore the file from a copy, and delete the folder")
    }
  }

  private enum Ending {
    case finished
    case failed(FileError)
    case crashed
  }

  /// Runs a hidden subcommand of this program in a process of its own.
  private static func child(
    _ command: any ParsableCommand.Type, _ paths: [String], flags: [String] = []
  ) throws(FileError) -> Ending {
    let child = Process()
    child.executableURL = URL(fileURLWithPath: Bundle.main.executablePath ?? CommandLine.arguments[0])
    child.arguments = [command.configuration.commandName!] + flags + ["--"] + paths
    // A crash is expected of a damaged file; Swift's report of it would take seconds and tell the user nothing.
    child.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    let errors = Pipe()
    child.standardError = errors
    do {
      try child.run()
    } catch {
      throw FileError(.cannotOpen, path: paths[0], "the process that reads it could not be started: \(error)")
    }
    let report = errors.fileHandleForReading.readDataToEndOfFile()
    child.waitUntilExit()
    if child.terminationReason == .exit, child.terminationStatus == 0 { return .finished }
    let json = try? JSONValue(parsing: Array(report))
    return json.flatMap(FileErrorJSON.error(in:)).map(Ending.failed) ?? .crashed
  }

  /// What a child does: `body` within limits of memory and time, and its error as JSON on standard error.
  fileprivate static func runAsChild(_ body: () throws(FileError) -> Void) throws {
    ResourceLimits.set(RLIMIT_AS, to: 16 << 30)
    ResourceLimits.set(RLIMIT_CPU, to: 300)
    do throws(FileError) {
      try body()
    } catch {
      Console.error(FileErrorJSON.json(of: error).text())
      throw ExitCode(error.kind.exitCode)
    }
  }
}

/// The child that reads an analysis file.
struct CopyAnalysis: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "copy-analysis", abstract: "Reads an analysis file and writes it anew.", shouldDisplay: false)

  @Argument var path: String
  @Argument var copy: String

  func run() throws {
    try GuardedReading.runAsChild { () throws(FileError) in
      try AnalysisFile.write(AnalysisFile.read(from: path), to: copy)
    }
  }
}

/// The child that reads a run folder.
struct ExtractRun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract-run", abstract: "Copies the checkpoints of a run to a folder of PEFT adapters.",
    shouldDisplay: false)

  @Argument var path: String
  @Argument var folder: String
  @Flag var mendsIndex = false

  func run() throws {
    try GuardedReading.runAsChild { () throws(FileError) in
      var extraction = try RunExtraction(of: path, to: folder)
      try extraction.extract(mendsIndex: mendsIndex)
    }
  }
}

/// The child that reads a run folder and makes one file of it.
struct PackRun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack-run", abstract: "Writes a run folder as one file.", shouldDisplay: false)

  @Argument var path: String
  @Argument var file: String

  func run() throws {
    try GuardedReading.runAsChild { () throws(FileError) in try RunPack.write(path, to: file) }
  }
}

/// The child that reads a packed run; it does nothing with any other HDF5 file.
struct UnpackRun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpack-run", abstract: "Writes a packed run as a run folder.", shouldDisplay: false)

  @Argument var path: String
  @Argument var folder: String

  func run() throws {
    try GuardedReading.runAsChild { () throws(FileError) in
      guard (try? RunPack.isPack(at: path)) == true else { return }
      try RunPack.unpack(path, to: folder)
    }
  }
}
