import Foundation
import Measurement
import Weights

/// Where the spectral basis of a base model is kept.
enum BasisLocation {
  /// The folder that was named, or `basis` beside the output if it is there, or one in the user's cache folder; nil, with a note, where
  /// that cannot be written.
  static func folder(named path: String?, output: String, base: String) -> BasisFolder? {
    if let path { return BasisFolder(path: path) }
    let beside = URL(fileURLWithPath: output).deletingLastPathComponent().appendingPathComponent("basis").path
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: beside, isDirectory: &isFolder), isFolder.boolValue {
      return BasisFolder(path: beside)
    }
    let folder = cache(for: base)
    // Nothing is made for a base that is not there; what is wrong with it is said later.
    guard FileManager.default.fileExists(atPath: base) else { return nil }
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    if FileManager.default.isWritableFile(atPath: folder) { return BasisFolder(path: folder) }
    Console.error("Note: \(folder) cannot be written, so the spectral basis is not kept. Name a folder with --basis")
    return nil
  }

  /// `$SPECTROSCOPE_CACHE`, else `$XDG_CACHE_HOME/spectroscope`, else `~/.cache/spectroscope`; in there a folder for the base's path.
  static func cache(for base: String) -> String {
    let environment = ProcessInfo.processInfo.environment
    func set(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    let home = FileManager.default.homeDirectoryForCurrentUser.path
    let root =
      set("SPECTROSCOPE_CACHE") ?? (set("XDG_CACHE_HOME") ?? home + "/.cache") + "/spectroscope"
    let path = URL(fileURLWithPath: base).standardizedFileURL.resolvingSymlinksInPath().path
    var digest = SHA256()
    digest.update(Array(path.utf8))
    let name = URL(fileURLWithPath: path).lastPathComponent
    return "\(root)/bases/\(name)-\(digest.hexadecimal.prefix(12))"
  }
}
