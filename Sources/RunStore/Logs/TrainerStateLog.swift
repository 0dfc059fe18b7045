import Adapters
import Foundation
import OrderedCollections
import Weights

/// The state of the Hugging Face Trainer, which holds the whole history of a run at the time of a checkpoint.
enum TrainerStateLog {
  static let fileName = "trainer_state.json"

  /// Reads one state.
  static func read(file path: String) throws(FileError) -> TrainingLog {
    TrainingLog(.trainerState, [path], try State(path: path).records)
  }

  /// Reads the newest state in a folder and its `checkpoint-N`. Where its history does not begin at the start, as of a run that was
  /// resumed without it, older ones fill what it lacks. A state that is only begun is left out and said in the remarks.
  ///
  /// - Returns: nil where there is no state.
  static func read(folder path: String) throws(FileError) -> TrainingLog? {
    var remarks: [FileError] = []
    var files: [String] = []
    var found = TrainingRecords()
    for candidate in try candidates(in: path, &remarks) {
      if let first = found.records.first, candidate.step >= first.step { continue }
      var state = candidate.state
      if state == nil { state = try whole(candidate.path, &remarks) }
      guard let state else { continue }
      found = found.merging(state.records)
      files.append(candidate.path)
    }
    if files.isEmpty, let first = remarks.first { throw first }
    return files.isEmpty ? nil : TrainingLog(.trainerState, files, found, remarks: remarks)
  }

  private typealias Candidate = (step: Int, path: String, state: State?)

  /// The states that there are, the newest first: that of the folder itself before a checkpoint's of the same step.
  private static func candidates(in path: String, _ remarks: inout [FileError]) throws(FileError) -> [Candidate] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      throw FileError(.cannotOpen, path: path, "the folder cannot be read", remedy: "Check its permissions")
    }
    var candidates: [Candidate] = []
    for name in names {
      guard let (layout, step) = CheckpointSeries.layout(ofFolderNamed: name), layout == .huggingFaceTrainer else {
        continue
      }
      let state = "\(path)/\(name)/\(fileName)"
      if FileManager.default.fileExists(atPath: state) { candidates.append((step, state, nil)) }
    }
    let top = path + "/" + fileName
    if FileManager.default.fileExists(atPath: top), let state = try whole(top, &remarks) {
      candidates.append((state.step, top, state))
    }
    return candidates.sorted { ($0.step, $0.state == nil ? 0 : 1) > ($1.step, $1.state == nil ? 0 : 1) }
  }

  /// The state in a file; nil, and a remark, for one that is only begun.
  private static func whole(_ path: String, _ remarks: inout [FileError]) throws(FileError) -> State? {
    do throws(FileError) {
      return try State(path: path)
    } catch {
      guard error.problem == State.unfinished else { throw error }
      remarks.append(error)
      return nil
    }
  }
}

extension TrainerStateLog {
  /// What a state says: the step it was taken at, and the history up to there under the trainer's names.
  private struct State {
    static let unfinished = "expected a whole JSON object, found only its beginning"

    let step: Int
    private(set) var records = TrainingRecords()

    init(path: String) throws(FileError) {
      let json = try Self.parse(path)
      guard let history = json["log_history"]?.array else {
        throw FileError(
          .badContent, path: path, object: "log_history",
          "expected a list, found \(json["log_history"] == nil ? "none" : "another value")",
          remedy: "A log in one JSON document is the Trainer's \(TrainerStateLog.fileName)")
      }
      step = json["global_step"]?.int ?? 0
      for (index, entry) in history.enumerated() {
        do throws(RecordError) {
          records.take(try Self.record(of: entry), overwriting: true)
        } catch {
          throw FileError(
            .badContent, path: path, object: "log_history[\(index)]", error.problem,
            remedy: "Take the state of another checkpoint, or mend the entry")
        }
      }
    }

    private static func record(of entry: JSONValue) throws(RecordError) -> TrainingRecords.Record {
      guard let members = entry.object else {
        throw RecordError(problem: "expected a JSON object, found another value")
      }
      var record = TrainingRecords.Record(step: try TrainingRecords.Record.step(members["step"], named: "step"))
      record.takeNumbers(of: members, null: nil)
      // The entry at the end of a run sums it up.
      if members["train_runtime"] != nil { TrainingColumn.summaryNames.forEach { record.remove($0) } }
      return record
    }

    private static func parse(_ path: String) throws(FileError) -> JSONValue {
      let bytes = Array(try LogText.read(path))
      do throws(JSONError) {
        return try JSONValue(parsing: bytes, allowingNonFinite: true)
      } catch {
        // A word such as `null` that is cut is found at its beginning.
        let rest = String(decoding: bytes[error.offset...].prefix(16), as: UTF8.self)
        let words = ["null", "true", "false", "NaN", "Infinity", "-Infinity"]
        guard words.contains(where: { $0.hasPrefix(rest) && $0 != rest }) else {
          throw FileError(.badContent, path: path, error.description, remedy: "Take the state of another checkpoint")
        }
        throw FileError(
          .badContent, path: path, unfinished,
          remedy: "Wait if it is still being written, else take another checkpoint's")
      }
    }
  }
}
