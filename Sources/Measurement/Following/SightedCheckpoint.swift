import Adapters
import Foundation
import Weights

/// A checkpoint as it lies in a folder that is followed, where it may still be written or may vanish at any time.
struct SightedCheckpoint {
  let step: Int
  let place: AdapterPlace
  /// The folder of the checkpoint as a whole, in the one that is followed; that itself for MLX's numbered files.
  let folder: String
  /// True where it has no folder of its own.
  let isFlat: Bool
  /// What measuring it needs, relative to `folder`.
  let files: [String]
  /// Sizes and times of those files.
  let fingerprint: String
  /// False while it cannot be read.
  let opens: Bool

  /// - Throws: `FileError` where it has vanished.
  init(_ checkpoint: CheckpointSeries.Checkpoint, in source: String) throws(FileError) {
    (step, place) = (checkpoint.step, checkpoint.place)
    folder = Self.folder(of: checkpoint.place.path, in: source)
    isFlat = folder == source
    let adapter = try? AdapterFolder(place)
    opens = adapter != nil
    let paths = (adapter?.weights.files.map(\.path) ?? []) + (place.configurationFile.map { [$0] } ?? [])
    var parts: [String] = []
    for path in paths {
      let file = try PositionedFile(path: path)
      parts.append("\(file.size)@\(file.identity.modificationTime)")
    }
    let folder = folder
    files = paths.map { Self.relative($0, to: folder) }
    fingerprint = parts.joined(separator: " ")
  }

  /// The first folder below `source` on the way to `path`.
  private static func folder(of path: String, in source: String) -> String {
    let rest = path.dropFirst(source.count).drop { $0 == "/" }
    return rest.isEmpty ? source : source + "/" + rest.prefix { $0 != "/" }
  }

  /// A path below a folder, with `..` resolved.
  private static func relative(_ path: String, to folder: String) -> String {
    let full = URL(fileURLWithPath: path).standardizedFileURL.path
    let prefix = URL(fileURLWithPath: folder).standardizedFileURL.path + "/"
    return full.hasPrefix(prefix) ? String(full.dropFirst(prefix.count)) : path
  }
}

// MARK: - Whether it is complete

extension SightedCheckpoint {
  /// Whether nothing of it is still to come: it can be read, and what its trainer writes last is there; or it has been left alone for a while.
  func isComplete(in source: String, settling: Double, now: Date) -> Bool {
    if opens, isMarked(in: source) { return true }
    return now.timeIntervalSince(lastChange) >= settling
  }

  /// The Hugging Face Trainer writes its state last, verl the number of the last checkpoint.
  private func isMarked(in source: String) -> Bool {
    if (try? JSONValue(contentsOf: folder + "/trainer_state.json", allowingNonFinite: true)) != nil { return true }
    let latest = try? String(contentsOfFile: source + "/latest_checkpointed_iteration.txt", encoding: .utf8)
    return latest.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }.map { $0 >= step } ?? false
  }

  /// When a file of it was last written, or came or went.
  private var lastChange: Date {
    func time(_ path: String) -> Date? {
      (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    }
    let below = isFlat ? files : (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
    let own = isFlat ? [] : [time(folder)]
    return (own + below.map { time(folder + "/" + $0) }).compactMap(\.self).max() ?? .distantPast
  }
}

// MARK: - Keeping it

extension SightedCheckpoint {
  /// Puts its files under a folder: as further names of the same files, which cost nothing and outlive the trainer's own, or as copies where there can
  /// be no such names.
  ///
  /// - Throws: `.cannotCreate`, also where it has vanished meanwhile.
  func keep(in kept: String) throws(FileError) {
    let target = isFlat ? kept : kept + "/" + URL(fileURLWithPath: folder).lastPathComponent
    for file in files {
      let path = target + "/" + file
      do {
        try FileManager.default.createDirectory(
          at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
        if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
        if link(folder + "/" + file, path) != 0 {
          try FileManager.default.copyItem(atPath: folder + "/" + file, toPath: path)
        }
      } catch {
        throw FileError(
          .cannotCreate, path: path, "the checkpoint's file cannot be kept: \(error.localizedDescription)",
          remedy: "Check the folder, its permissions and free space")
      }
    }
  }
}
