import Foundation
import RunStore
import Synchronization
import Weights

/// Where the run is that a path names.
enum RunLocation {
  /// The run folder at `path`, or one that the packed run at `path` was unpacked to, which is there until the program ends; nil for
  /// anything else.
  ///
  /// - Throws: `FileError` for a packed run that is damaged.
  static func folder(of path: String) throws(FileError) -> String? {
    if RunFolder.isRun(at: path) { return path }
    if let known = unpacked.withLock({ $0[path] }) { return known }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("spectroscope-run-\(UUID().uuidString)")
      .path
    removesAtExit
    unpacked.withLock { $0[path] = folder }
    if try unpack(path, to: folder) { return folder }
    unpacked.withLock { $0[path] = nil }
    return nil
  }

  /// Throws unless there is a run at `path`: `.cannotOpen` where there is nothing, `.badContent` for anything else.
  ///
  /// - Parameter remedy: what to do with the other thing.
  static func requireRun(at path: String, isPackAllowed: Bool, remedy: String) throws(FileError) {
    guard FileManager.default.fileExists(atPath: path) else {
      throw FileError(.cannotOpen, path: path, "no such file or folder")
    }
    if RunFolder.isRun(at: path) { return }
    if isPackAllowed, try folder(of: path) != nil { return }
    throw FileError(
      .badContent, path: path, "expected a run folder\(isPackAllowed ? " or a packed run" : ""), found none",
      remedy: remedy)
  }

  /// Whether `path` is a packed run; then `folder`, new or empty, becomes its run folder.
  static func unpack(_ path: String, to folder: String) throws(FileError) -> Bool {
    guard HDF5File.hasSignature(path) else { return false }
    try GuardedReading.unpack(path, to: folder)
    return RunFolder.isRun(at: folder)
  }

  /// The folders by the paths of packed runs.
  private static let unpacked = Mutex<[String: String]>([:])

  private static let removesAtExit: Void = {
    atexit {
      for folder in RunLocation.unpacked.withLock({ $0 }).values { try? FileManager.default.removeItem(atPath: folder) }
    }
  }()
}
