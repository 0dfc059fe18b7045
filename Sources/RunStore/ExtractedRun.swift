import Adapters
import Foundation
import Weights

/// A run folder whose sound checkpoints lie, for as long as this lives, in a temporary folder as a series of PEFT adapters.
package final class ExtractedRun: Sendable {
  /// A checkpoint that cannot be used, and why.
  package struct Damage: Equatable, Sendable {
    package var step: Int
    package var error: FileError
  }

  /// The run folder, or the packed run, as it was named.
  package let path: String
  /// The folder that holds its files; another than `path` for a packed run.
  package let files: String
  /// The temporary folder of `checkpoint-N`; without any for a method that `PEFTFolder` does not hold.
  package var folder: String { scratch.path }
  package let identity: RunIdentity
  /// The steps of the sound checkpoints.
  package let steps: [Int]
  package let damaged: [Damage]
  /// Why `run.h5` is of no use, in which case the identity is that of a checkpoint.
  package let indexError: FileError?
  private let scratch: ScratchFolder

  /// Extracts the run at `path`.
  ///
  /// - Parameter name: what it is called in messages, where that is not its path.
  /// - Parameter extract: runs a `RunExtraction` of the run to the folder it is given. It may crash on a file that is damaged, so a
  ///   caller with untrusted files has a child do it, again and again until it ends by itself.
  /// - Throws: `FileError` where there is no run, where no file of it can be read, or where there is no space for the copies.
  package init(
    of path: String, named name: String? = nil,
    extract: (_ run: String, _ folder: String) throws(FileError) -> Void = { run, folder throws(FileError) in
      var extraction = try RunExtraction(of: run, to: folder)
      try extraction.extract()
    }
  ) throws(FileError) {
    let run = RunLayout.withoutTrailingSlash(path)
    files = run
    self.path = name ?? run
    scratch = try ScratchFolder()
    // Asked before the extraction, which may mend it.
    let absence = Self.absenceOfIndex(in: run)
    try extract(run, scratch.path)
    let journal = try ExtractionJournal(of: run, in: scratch.path)
    let names = try RunLayout.steps(in: run).map { (step: $0, name: RunLayout.checkpoint($0)) }
    steps = names.filter { journal.hasRead($0.name) }.map(\.step)
    damaged = names.compactMap { step, name in journal.error(of: name).map { Damage(step: step, error: $0) } }
    indexError = absence ?? journal.error(of: RunLayout.index)
    guard let found = journal.identity else {
      if let first = damaged.first { throw first.error }
      if let indexError { throw indexError }
      throw FileError(.badContent, path: run, "expected a run with run.h5 and checkpoints, found none of them")
    }
    identity = found
  }

  private static func absenceOfIndex(in run: String) -> FileError? {
    let index = run + "/" + RunLayout.index
    return FileManager.default.fileExists(atPath: index) ? nil : FileError(.cannotOpen, path: index, "no such file")
  }
}

// MARK: - Messages

extension ExtractedRun {
  /// What is wrong with the files of the run.
  package var remarks: [AdapterRemark] {
    let index = indexError.map {
      AdapterRemark(.runIndexIsLost, "\($0.path): \($0.problem). What it says was read from the checkpoints instead")
    }
    return damaged.map { AdapterRemark(.damagedCheckpoint, step: $0.step, "\($0.error)") } + (index.map { [$0] } ?? [])
  }

  /// A text about the temporary files as one about the files of the run.
  package func named(_ text: String) -> String {
    let parts = text.components(separatedBy: folder + "/checkpoint-")
    let renamed = parts.dropFirst().map { part -> String in
      let digits = part.prefix { $0.isASCII && $0.isNumber }
      guard let step = Int(digits) else { return "\(path)/checkpoint-\(part)" }
      let rest = part.dropFirst(digits.count)
      let file = [AdapterFolder.weightsName, PEFTConfiguration.fileName].map { "/" + $0 }.first(where: rest.hasPrefix)
      return "\(path)/\(RunLayout.checkpoint(step))\(rest.dropFirst(file?.count ?? 0))"
    }
    return (parts.prefix(1) + renamed).joined().replacing(folder, with: path).replacing(files, with: path)
      .replacing(PEFTFolder.prefix, with: "")
  }

  /// An error about a temporary file as one about the file of the run.
  package func named(_ error: FileError) -> FileError {
    FileError(
      error.kind, path: named(error.path), object: named(error.object), named(error.problem),
      remedy: named(error.remedy))
  }

  /// A remark about a temporary file as one about the file of the run.
  package func named(_ remark: AdapterRemark) -> AdapterRemark {
    var renamed = remark
    renamed.message = named(remark.message)
    return renamed
  }
}

/// A new folder for temporary files, removed with the last reference.
private final class ScratchFolder: Sendable {
  let path: String

  init() throws(FileError) {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("spectroscope-\(UUID().uuidString)").path
    // The weights of a run are their owner's alone.
    guard mkdir(path, 0o700) == 0 else {
      throw FileError(
        .cannotCreate, path: path, "the temporary folder cannot be made: \(String(cString: strerror(errno)))",
        remedy: "Set TMPDIR to a folder that may be written to")
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
