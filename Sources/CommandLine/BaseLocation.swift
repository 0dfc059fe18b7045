import Foundation
import RunStore
import Training
import Weights

/// Where the base of a run is.
enum BaseLocation {
  /// The folder of a base as a run has recorded it.
  ///
  /// - Throws: `.cannotOpen` where it is not there.
  static func folder(for recorded: String) throws(FileError) -> String {
    if recorded == RunIdentity.embeddedBase { return try embedded.get() }
    guard FileManager.default.fileExists(atPath: recorded) else {
      throw FileError(
        .cannotOpen, path: recorded, "expected the base that the run recorded, found no such file or folder",
        remedy: "Pass where it is now with --base")
    }
    return recorded
  }

  /// The embedded base in a temporary folder, which is there until the program ends; written when first asked for.
  private static let embedded: Result<String, FileError> = {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("spectroscope-base-\(UUID().uuidString)").path
    do throws(FileError) {
      try EmbeddedBase.write(to: folder)
    } catch {
      return .failure(error)
    }
    atexit {
      if case .success(let folder) = BaseLocation.embedded { try? FileManager.default.removeItem(atPath: folder) }
    }
    return .success(folder)
  }()
}
