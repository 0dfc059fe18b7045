import Foundation
import Weights

/// The folder in which the shards of an analysis lie: `<output>.shards`, with a file a shard, and the journals of those under way.
package enum ShardFolder {
  package static let suffix = ".shards"

  package static func path(ofOutput output: String) -> String { output + suffix }

  /// The files of shards in a folder, by name.
  ///
  /// - Throws: `.cannotOpen` where there is no such folder.
  package static func files(in folder: String) throws(FileError) -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw FileError(
        .cannotOpen, path: folder, "expected the folder of an analysis's shards, found none",
        remedy: "`spectroscope analyze --shard i/n` makes it beside --out")
    }
    return names.filter(ShardFile.isName).sorted().map { folder + "/" + $0 }
  }

  /// Makes the folder, and takes out of it what killed shards have left under temporary names.
  static func prepare(_ folder: String) throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: folder, "the folder for the shards cannot be made",
        remedy: "Check the permissions of the folder above")
    }
    PendingFile.removeAbandoned(in: folder) { $0.hasPrefix("shard-") }
  }
}
