import Adapters
import Foundation
import Weights

/// A run folder, open for reading.
///
/// HDF5 is read in this process, which a damaged file can crash: for folders of others there is `ExtractedRun`.
package struct RunFolder: Sendable {
  package let path: String
  package let identity: RunIdentity
  /// The steps of the checkpoints, in ascending order, as the folder lists them.
  package let steps: [Int]
  /// Why `run.h5` could not be read, in which case the identity is that of a checkpoint.
  package let indexError: FileError?

  /// True for a folder that holds `run.h5` or a checkpoint of a run; looks at names alone.
  package static func isRun(at path: String) -> Bool {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path + "/" + RunLayout.index, isDirectory: &isFolder)
    if exists, !isFolder.boolValue { return true }
    return (try? RunLayout.steps(in: path))?.isEmpty == false
  }

  /// Finds the checkpoints and reads the identity, none of the tensors.
  ///
  /// - Throws: `FileError` where there is no run, or where neither `run.h5` nor any checkpoint can be read.
  package init(path: String) throws(FileError) {
    self.path = RunLayout.withoutTrailingSlash(path)
    steps = try RunLayout.steps(in: self.path)
    do throws(FileError) {
      identity = try RunIndex.identity(in: self.path)
      indexError = nil
    } catch {
      guard let found = Self.identity(of: self.path, steps) else { throw error }
      identity = found
      indexError = error
    }
  }

  private static func identity(of path: String, _ steps: [Int]) -> RunIdentity? {
    for step in steps {
      let checkpoint = try? RunCheckpoint.read(from: path + "/" + RunLayout.checkpoint(step), step: step, of: nil)
      if let identity = checkpoint?.identity { return identity }
    }
    return nil
  }

  /// Reads a checkpoint and checks its tensors against their digest; throws `.cannotOpen` or `.badContent`.
  package func checkpoint(at step: Int) throws(FileError) -> RunCheckpoint {
    try RunCheckpoint.read(from: path + "/" + RunLayout.checkpoint(step), step: step, of: identity)
  }

  /// The adapter at a step; throws as `checkpoint(at:)` does.
  package func snapshot(at step: Int) throws(FileError) -> AdapterSnapshot { try checkpoint(at: step).snapshot }

  /// The adapter at step 0: of its checkpoint, else of `run.h5`. Throws what reading the checkpoint threw.
  package func initial() throws(FileError) -> AdapterSnapshot {
    do {
      return try snapshot(at: 0)
    } catch {
      guard let initial = try? RunIndex.initial(in: path) else { throw error }
      return initial
    }
  }

  /// What training has recorded so far; throws `.badContent` for a broken line.
  package func records() throws(FileError) -> TrainingRecords {
    try TrainingRecords(path: path + "/" + RunLayout.records)
  }
}
