import Foundation
import Weights

/// What a trainer has logged of its steps, in whichever of the formats that we read.
package struct TrainingLog: Sendable {
  /// Who writes such a log.
  package enum Kind: String, CaseIterable, Sendable {
    case run = "training.jsonl of a run folder"
    case trainerState = "trainer_state.json (Hugging Face Trainer, TRL)"
    case verl = "JSON lines of verl's file logger"
    case jsonLines = "JSON lines with a step"
    case tensorBoard = "TensorBoard event files"
    case csv = "CSV with a column of steps"
  }

  package let kind: Kind
  /// The files that the records are from.
  package let files: [String]
  /// The records under our names, as `TrainingColumn` has them, with `kl_increment` where there is a `kl`.
  package let records: TrainingRecords
  /// Why files that belong to the log were left out: unfinished ones, beside others that are whole.
  package let remarks: [FileError]

  /// Reads a log: a file of any kind, told by its content; a run folder; a folder with `trainer_state.json`, there or in `checkpoint-N`
  /// below it; or a folder with TensorBoard's event files, there or anywhere below.
  ///
  /// Of a log that is being written, the last line or record is left out where it is not whole. In CSV that is a last line without
  /// its line feed; in JSON lines such a line counts where it is a whole object.
  ///
  /// - Throws: `.cannotOpen`; `.badContent` with the line or record that is damaged, or where there is no log.
  package static func read(path: String) throws(FileError) -> TrainingLog {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw FileError(.cannotOpen, path: path, "no such file or folder", remedy: "Check the path")
    }
    return isFolder.boolValue ? try read(folder: path) : try read(file: path)
  }

  /// The log that lies in a folder, as `read(path:)` finds it; nil where there is none.
  package static func find(in folder: String) throws(FileError) -> TrainingLog? {
    let own = folder + "/" + RunLayout.records
    if RunFolder.isRun(at: folder), FileManager.default.fileExists(atPath: own) { return try read(file: own) }
    if let log = try TrainerStateLog.read(folder: folder) { return log }
    return try EventLog.read(folder: folder)
  }

  private static func read(folder path: String) throws(FileError) -> TrainingLog {
    if let log = try find(in: path) { return log }
    throw FileError(
      .badContent, path: path,
      "expected a training log: training.jsonl of a run, \(TrainerStateLog.fileName) here or in checkpoint-N, or TensorBoard's "
        + "events.out.tfevents files here or below, found none",
      remedy: "Name the log's file, or the folder that holds it")
  }

  private static func read(file path: String) throws(FileError) -> TrainingLog {
    switch try kind(ofFile: path) {
    case .run: TrainingLog(.run, [path], translated: try TrainingRecords(path: path).addingKLIncrement())
    case .trainerState: try TrainerStateLog.read(file: path)
    case .verl, .jsonLines: try LineLog.read(path)
    case .tensorBoard: try EventLog.read(files: [path])
    case .csv: try TableLog.read(path)
    }
  }

  init(_ kind: Kind, _ files: [String], _ records: TrainingRecords, remarks: [FileError] = []) {
    self.init(kind, files, translated: records.translated(), remarks: remarks)
  }

  private init(_ kind: Kind, _ files: [String], translated records: TrainingRecords, remarks: [FileError] = []) {
    self.kind = kind
    self.files = files
    self.records = records
    self.remarks = remarks
  }
}

// MARK: - Recognition

extension TrainingLog {
  /// How much of a file is looked at: more than the Trainer writes before `log_history`, whose keys are sorted.
  private static let prefixLength = 64 << 10

  /// What a file is by its first bytes, `.verl` and `.jsonLines` not told apart.
  private static func kind(ofFile path: String) throws(FileError) -> Kind {
    let url = URL(fileURLWithPath: path)
    let folder = url.deletingLastPathComponent().path
    if url.lastPathComponent == RunLayout.records, RunFolder.isRun(at: folder) { return .run }
    let file = try PositionedFile(path: path)
    let prefix = try file.read(min(prefixLength, file.size), at: 0)
    if EventFile.isOne(prefix) || EventLog.isName(url.lastPathComponent) { return .tensorBoard }
    let text = LogText.withoutMark(prefix[...])
    let first = text.first { !LogText.isSpace($0) }
    if first == UInt8(ascii: "{") { return isDocument(text) ? .trainerState : .jsonLines }
    if let foreign = ForeignFormat(prefix: prefix.prefix(ForeignFormat.prefixLength)) {
      throw foreign.error(path: path, expected: "a training log")
    }
    guard first != nil, !text.contains(0) else {
      throw FileError(
        .badContent, path: path, "expected a training log, found \(first == nil ? "only white space" : "binary data")",
        remedy: "Read are: " + Kind.allCases.map(\.rawValue).joined(separator: "; "))
    }
    return .csv
  }

  /// Whether a text that begins with an object is one JSON document, and not one object a line.
  private static func isDocument(_ text: ArraySlice<UInt8>) -> Bool {
    let line = text.drop(while: LogText.isSpace).prefix { $0 != LogText.lineFeed }
    return line.dropFirst().allSatisfy(LogText.isSpace)
      || String(decoding: line, as: UTF8.self).contains("\"log_history\"")
  }
}
