import Measurement
import OrderedCollections
import RunStore
import Training
import Weights

/// One training run from the command line: its base, its run folder, and the wish to stop.
struct TrainingSession {
  let configuration: TrainingConfiguration
  let out: String
  let threads: Int
  /// True for a run that its folder holds the beginning of.
  let resumes: Bool

  init(_ configuration: TrainingConfiguration, out: String, threads: Int, resumes: Bool = false) {
    self.configuration = configuration
    self.out = out
    self.threads = threads
    self.resumes = resumes
  }

  /// Trains, with every record shown once it is written.
  func run(report: @escaping (TrainingRecord) -> Void) throws -> Trainer.Ending {
    let folder = try BaseLocation.folder(for: configuration.base)
    let base = try PretrainedModel(path: folder)
    var configuration = configuration
    let task = try configuration.openTask(for: base)
    if resumes, let name = configuration.differences(from: self.configuration).first {
      throw FileError(
        .badContent, path: configuration.task,
        "expected the file that the run in \(out) was begun with, found another "
          + name, remedy: "Put that file back")
    }
    let identity = RunIdentity(
      configuration, baseID: try BaseIdentity.sha256(of: BaseModel(path: folder)),
      createdBy: "spectroscope \(programVersion)")
    let recorder: RunRecorder
    var point: ResumePoint?
    if resumes {
      (recorder, point) = try RunRecorder.resuming(out, expected: identity, report: report)
    } else {
      recorder = RunRecorder(path: out, identity: identity, report: report)
    }
    let trainer = try Trainer(configuration, base: base, task: task, threads: threads, observer: recorder)
    if let point { try trainer.restore(point.state, from: point.snapshot, initial: point.initial) }
    return try trainer.run { Interruption.isWished }
  }

  /// The configuration of the run in a folder.
  ///
  /// - Throws: `FileError` where there is none that can be read.
  static func configuration(ofRun out: String) throws -> TrainingConfiguration {
    let identity = try RunFolder(path: out).identity
    var configuration = TrainingConfiguration()
    do throws(ConfigurationError) {
      try configuration.take(identity.configuration.object ?? [:])
    } catch {
      throw error.fileError(path: out, object: "its configuration")
    }
    return configuration
  }
}

extension TrainingConfiguration {
  /// Takes the members of a JSON file.
  ///
  /// - Throws: `FileError` where it cannot be read, or is none.
  mutating func take(file path: String) throws(FileError) {
    let file = try PositionedFile(path: path)
    let text = try file.read(file.size, at: 0)
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: text)
    } catch {
      throw FileError(.badContent, path: path, "expected a JSON object of options, found other text: \(error.problem)")
    }
    guard let object = value.object else {
      throw FileError(.badContent, path: path, "expected a JSON object of options, found another value")
    }
    do throws(ConfigurationError) {
      try take(object)
    } catch {
      throw error.fileError(path: path, object: nil)
    }
  }
}

extension ConfigurationError {
  fileprivate func fileError(path: String, object: String?) -> FileError {
    switch self {
    case .unknownName(let name):
      FileError(
        .badContent, path: path, object: object ?? FileError.quoted(name),
        "expected the name of an option of train, found "
          + FileError.quoted(name), remedy: "`spectroscope train --help` lists them")
    case .wrongValue(let name, let value):
      FileError(
        .badContent, path: path, object: object ?? FileError.quoted(name),
        "expected a value that --\(name.replacing("_", with: "-")) takes, found \(value)",
        remedy: "`spectroscope train --help` says what it is")
    }
  }
}
