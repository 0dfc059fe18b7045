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
    guard HDF5File.hasSignature(path), let program = Bundle.main.executablePath else {
      return try AnalysisFile.read(from: path)
    }
    let copy = FileManager.default.temporaryDirectory
      .appendingPathComponent("spectroscope-\(UUID().uuidString).h5").path
    defer { try? FileManager.default.removeItem(atPath: copy) }
    let child = Process()
    child.executableURL = URL(fileURLWithPath: program)
    child.arguments = [CopyAnalysis.configuration.commandName!, path, copy]
    // A crash is expected of a damaged file; Swift's report of it would take seconds and tell the user nothing.
    child.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    let errors = Pipe()
    child.standardError = errors
    do {
      try child.run()
    } catch {
      throw FileError(.cannotOpen, path: path, "the process that reads it could not be started: \(error)")
    }
    let report = errors.fileHandleForReading.readDataToEndOfFile()
    child.waitUntilExit()
    if child.terminationReason == .exit, child.terminationStatus == 0 { return try AnalysisFile.read(from: copy) }
    if var error = FileError(childReport: report) {
      // That the copy cannot be written is the fault of what was read.
      if error.path == copy { (error.kind, error.path) = (.badContent, path) }
      throw error
    }
    throw FileError(
      .badContent, path: path,
      "expected an analysis file, found a damaged or unsafe HDF5 file: reading it crashes HDF5",
      remedy: "Run `spectroscope analyze` again to write it anew")
  }
}

/// What the child runs.
struct CopyAnalysis: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "copy-analysis", abstract: "Reads an analysis file and writes it anew.", shouldDisplay: false)

  @Argument var path: String
  @Argument var copy: String

  func run() throws {
    ResourceLimits.set(RLIMIT_AS, to: 16 << 30)
    ResourceLimits.set(RLIMIT_CPU, to: 300)
    do {
      try AnalysisFile.write(AnalysisFile.read(from: path), to: copy)
    } catch {
      Console.error(error.childReport)
      throw ExitCode(error.kind.exitCode)
    }
  }
}

// MARK: - An error on its way from the child

extension FileError {
  fileprivate var childReport: String {
    let fields: JSONValue = [
      "code": .integer(Int(kind.exitCode)), "path": .string(path), "object": .string(object),
      "problem": .string(problem), "remedy": .string(remedy),
    ]
    return fields.text()
  }

  fileprivate init?(childReport: Data) {
    guard let fields = try? JSONValue(parsing: Array(childReport)), let code = fields["code"]?.int,
      let kind = [Kind.badContent, .cannotOpen, .cannotCreate, .cannotWrite].first(where: { $0.exitCode == Int32(code) }
      ),
      let path = fields["path"]?.string, let object = fields["object"]?.string,
      let problem = fields["problem"]?.string, let remedy = fields["remedy"]?.string
    else { return nil }
    self.init(kind, path: path, object: object, problem, remedy: remedy)
  }
}
