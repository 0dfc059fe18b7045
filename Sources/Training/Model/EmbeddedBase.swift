internal import CBase
import Foundation
import Weights

/// The small base model that is a part of the program. `spectroscope pretrain` with its defaults made it.
package enum EmbeddedBase {
  /// Writes the model's Hugging Face folder.
  ///
  /// - Throws: `.cannotCreate` or `.cannotWrite`.
  package static func write(to folder: String) throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(.cannotCreate, path: folder, "the folder cannot be created", remedy: "Check its permissions")
    }
    var count = 0
    let files = UnsafeBufferPointer(start: base_files(&count), count: count)
    for file in files {
      let bytes = Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
      try PendingFile.write(bytes, to: folder + "/" + String(cString: file.name))
    }
  }
}
