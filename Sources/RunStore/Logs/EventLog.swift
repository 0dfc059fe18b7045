import Foundation
import Weights

/// TensorBoard's log: one event file, or all that are in a folder and below it.
enum EventLog {
  /// Whether a file has the name of an event file, `events.out.tfevents.<time>.<host>…`.
  static func isName(_ name: String) -> Bool { name.contains(".tfevents.") }

  /// Reads all event files in a folder and below it, such as those of the Trainer's `runs/<time>_<host>/`. What this program exported
  /// there is passed over: it says again what a log said.
  ///
  /// - Returns: nil where there is none.
  static func read(folder path: String) throws(FileError) -> TrainingLog? {
    let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    let files = names.filter { path in
      let name = (path as NSString).lastPathComponent
      return isName(name) && name != EventRecord.fileName
    }.sorted().map { path + "/" + $0 }
    return files.isEmpty ? nil : try read(files: files)
  }

  /// Reads event files in the order of their first events. A run that is resumed opens a new file and goes back some steps: from the
  /// first step of a tag in a later file on, what the files before say of it counts no more.
  static func read(files: [String]) throws(FileError) -> TrainingLog {
    let parts = try files.map { path throws(FileError) in try Part(path) }.sorted { $0.start < $1.start }
    var records = TrainingRecords()
    for part in parts {
      if let restart = part.restart { records.remove(from: restart) }
      for (tag, step) in part.firstSteps { records.remove(tag, from: step) }
      for record in part.records.records { records.take(record, overwriting: true) }
    }
    return TrainingLog(.tensorBoard, parts.map(\.path), records)
  }

  /// What one file holds, under its tags.
  private struct Part {
    let path: String
    /// The wall time of the first event; that of a file without any is behind all.
    private(set) var start = Double.infinity
    private(set) var records = TrainingRecords()
    /// The first step of each tag.
    private(set) var firstSteps: [String: Int] = [:]
    /// The first step at which a program has begun again.
    private(set) var restart: Int?

    init(_ path: String) throws(FileError) {
      self.path = path
      var file = try EventFile(path: path)
      while let event = try file.next() {
        if start == .infinity, event.wallTime.isFinite { start = event.wallTime }
        if event.isRestart {
          records.remove(from: event.step)
          restart = min(restart ?? event.step, event.step)
        }
        add(event)
      }
    }

    private mutating func add(_ event: Event) {
      let scalars = event.scalars.filter { !EventLog.isSummary($0.tag) }
      if scalars.isEmpty { return }
      records.update(at: event.step) { record in
        for (tag, value) in scalars { record.set(value, for: tag) }
      }
      for (tag, _) in scalars { firstSteps[tag] = min(firstSteps[tag] ?? event.step, event.step) }
    }
  }

  /// Whether a tag is of what the Trainer sums a run up with.
  private static func isSummary(_ tag: String) -> Bool {
    tag.hasPrefix("train/") && TrainingColumn.summaryNames.contains(String(tag.dropFirst("train/".count)))
  }
}
