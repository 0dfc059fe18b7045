import Adapters
import Foundation
import Weights

/// A run in one HDF5 file that needs no other, format version 1.
///
///     /                     format, format_version, and the identity's attributes
///     /config               the full configuration as JSON text
///     /initial/<module>/<tensor>  the adapter at step 0
///     /checkpoints/<step>   what `RunCheckpoint` describes, as a group
///     /training             what `TrainingFile` describes
///     /training_jsonl       the text of training.jsonl; /policy_yaml and /interventions_jsonl likewise, where there are such
///     /analysis, /findings  what `AnalysisFile` describes; where it comes from are attributes of /analysis, and the trainer's log that
///                           was joined to it is /analysis/training
///
/// What going on with the training needs is left out.
package enum RunPack {
  private static let format = HDF5Format(
    name: "spectroscope-pack", version: 1, description: "a packed run", remedy: "Make one with `spectroscope pack`",
    remedyForOlder: "Pack the run again")
  private static let records = "training_jsonl"
  /// Datasets of text, and the files that they are of.
  private static let texts = [
    ("policy_yaml", RunLayout.policy), ("interventions_jsonl", RunLayout.interventions),
  ]

  /// Writes the run folder at `run` as one file, whole.
  ///
  /// - Throws: `FileError` where a file of the run cannot be read, `.cannotCreate` or `.cannotWrite`.
  package static func write(_ run: String, to path: String) throws(FileError) {
    let folder = try RunFolder(path: run)
    try HDF5File.write(to: path) { (root) throws(FileError) in
      try format.write(to: root)
      try root.setAttribute("NX_class", "NXroot")
      try RunIndex.write(folder.identity, initial: try? folder.initial(), to: root)
      let checkpoints = try root.createGroup("checkpoints")
      for step in folder.steps {
        try folder.checkpoint(at: step).write(to: try checkpoints.createGroup(String(step)))
      }
      try writeRecords(of: folder, to: root)
      for (name, file) in texts where FileManager.default.fileExists(atPath: folder.path + "/" + file) {
        try root.write(text: try wholeLines(of: folder.path + "/" + file), named: name)
      }
      let analysis = folder.path + "/" + RunLayout.analysis
      guard FileManager.default.fileExists(atPath: analysis) else { return }
      try root.setAttribute("default", "analysis")
      try AnalysisWriter(try AnalysisFile.read(from: analysis), path: path).write(besideOthersTo: root)
    }
  }

  private static func writeRecords(of folder: RunFolder, to root: borrowing HDF5Group) throws(FileError) {
    let found = try folder.records()
    if found.isEmpty { return }
    try root.write(text: try wholeLines(of: folder.path + "/" + RunLayout.records), named: records)
    try TrainingFile.write(found, to: root)
  }

  /// A line that a killed run has left without its end is none.
  private static func wholeLines(of path: String) throws(FileError) -> String {
    let file = try PositionedFile(path: path)
    let bytes = try file.read(file.size, at: 0)
    let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return String(decoding: bytes[..<end], as: UTF8.self)
  }

  /// Whether the HDF5 file at `path` is a packed run, by what it says of itself; throws where it cannot be read.
  package static func isPack(at path: String) throws(FileError) -> Bool {
    let root = try HDF5File.open(path).root()
    guard try root.hasAttribute("format") else { return false }
    return try root.text("format") == format.name
  }

  /// Writes the packed run at `path` as a run folder.
  ///
  /// - Parameter folder: new or empty.
  /// - Throws: `.cannotOpen`, `.badContent` with the object that is damaged, `.cannotCreate` or `.cannotWrite`.
  package static func unpack(_ path: String, to folder: String) throws(FileError) {
    let root = try HDF5File.open(path).root()
    try format.require(of: root)
    let identity = try RunIndex.identity(of: root)
    try RunLayout.makeFolders(of: folder)
    let checkpoints = try root.group("checkpoints")
    for name in try checkpoints.members() {
      let group = try checkpoints.group(name)
      guard let step = Int(name), step >= 0, String(step) == name else {
        throw group.location.error("expected a step for a name, found another text")
      }
      try RunCheckpoint.read(from: group, step: step, of: identity)
        .write(to: folder + "/" + RunLayout.checkpoint(step))
    }
    let hasInitial = try root.contains("initial")
    let initial = hasInitial ? try AdapterSnapshot(step: 0, from: try root.group("initial")) : nil
    try RunIndex.write(identity, initial: initial, in: folder)
    try unpackRecords(of: root, to: folder)
    for (name, file) in texts where try root.contains(name) {
      try PendingFile.write(try root.dataset(name).readTexts().joined(), to: folder + "/" + file)
    }
    guard try root.contains("analysis") else { return }
    try AnalysisFile.write(AnalysisReader(besideOthersIn: root).analysis, to: folder + "/" + RunLayout.analysis)
  }

  private static func unpackRecords(of root: borrowing HDF5Group, to folder: String) throws(FileError) {
    guard try root.contains(records) else { return }
    let path = folder + "/" + RunLayout.records
    try PendingFile.write(try root.dataset(records).readTexts().joined(), to: path)
    try TrainingFile.write(try TrainingRecords(path: path), to: folder + "/" + RunLayout.training)
  }
}
