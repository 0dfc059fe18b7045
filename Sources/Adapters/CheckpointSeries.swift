import Foundation
import Weights

/// The adapters of one training run, in the order of their steps, wherever the trainer put them.
package struct CheckpointSeries: Equatable, Sendable {
  /// Who laid out the folder.
  package enum Layout: String, Sendable {
    case adapterFolder = "one adapter folder"
    case huggingFaceTrainer = "checkpoint-N series (Hugging Face Trainer, TRL, unsloth)"
    case verl = "global_step_N series (verl)"
    case openRLHF = "global_stepN_hf series (OpenRLHF)"
  }

  /// One checkpoint: where its adapter lies, and the step it was taken at.
  package struct Checkpoint: Equatable, Sendable {
    package var step: Int
    /// The folder that holds `adapter_config.json`.
    package var path: String
    /// True where the folder's name or the trainer's state says the step; false where nothing does and 0 stands for it.
    package var statesStep: Bool
  }

  package let path: String
  package let layout: Layout
  /// In ascending order of steps, each step once.
  package let checkpoints: [Checkpoint]
  /// Folders that look like checkpoints and hold no adapter, each with the reason.
  package let remarks: [AdapterRemark]

  /// Looks for checkpoints in `path`: a series below it, or the folder itself as one adapter.
  ///
  /// - Throws: `FileError` where the path cannot be opened or holds no adapter.
  package init(path: String) throws(FileError) {
    self.path = path
    let names = try Self.subfolders(of: path)
    var remarks: [AdapterRemark] = []
    let series = names.compactMap { name in
      Self.layout(ofFolderNamed: name).map { (name: name, layout: $0.0, step: $0.1) }
    }
    if series.isEmpty {
      guard let adapter = try Self.adapter(in: path) else { throw Self.noAdapters(in: path, containing: names) }
      layout = .adapterFolder
      checkpoints = [Self.single(adapter, source: path)]
      self.remarks = []
      return
    }
    let layout = Self.mostFrequent(series.map(\.layout))
    var found: [Int: Checkpoint] = [:]
    var firstError: FileError?
    for entry in series where entry.layout == layout {
      let place: String?
      do throws(FileError) {
        place = try Self.adapter(in: path + "/" + entry.name)
      } catch {
        firstError = firstError ?? error
        remarks.append(AdapterRemark(.damagedCheckpoint, step: entry.step, "\(error)"))
        continue
      }
      guard let adapter = place else {
        remarks.append(
          AdapterRemark(
            .damagedCheckpoint, step: entry.step,
            "\(path)/\(entry.name): expected \(PEFTConfiguration.fileName), found none; the checkpoint is left out. "
              + "It may still be being written, or hold no adapter"))
        continue
      }
      if let other = found[entry.step] {
        remarks.append(
          AdapterRemark(
            .seriesChanged, step: entry.step,
            "\(path)/\(entry.name) has the step of \(other.path) and is left out. Are there two runs in this folder?"))
        continue
      }
      found[entry.step] = Checkpoint(step: entry.step, path: adapter, statesStep: true)
    }
    for entry in series where entry.layout != layout {
      remarks.append(
        AdapterRemark(
          .seriesChanged, step: entry.step,
          "\(path)/\(entry.name) belongs to another layout than the \(layout.rawValue) around it and is left out"))
    }
    if FileManager.default.fileExists(atPath: path + "/" + PEFTConfiguration.fileName) {
      remarks.append(
        AdapterRemark(
          .notAnalysed,
          "the adapter in \(path) itself, beside its checkpoints, states no step and is left out; name it alone to "
            + "analyse it"))
    }
    guard !found.isEmpty else {
      if let firstError { throw firstError }
      throw Self.noAdapters(in: path, containing: names)
    }
    self.layout = layout
    checkpoints = found.values.sorted { $0.step < $1.step }
    self.remarks = remarks
  }
}

// MARK: - Looking for folders

extension CheckpointSeries {
  /// The layout and step that a folder's name stands for: `checkpoint-N`, `global_step_N` or `global_stepN_hf`.
  static func layout(ofFolderNamed name: String) -> (Layout, step: Int)? {
    func step(_ prefix: String, _ suffix: String = "") -> Int? {
      guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
      let digits = name.dropFirst(prefix.count).dropLast(suffix.count)
      return !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) } ? Int(digits) : nil
    }
    if let n = step("checkpoint-") { return (.huggingFaceTrainer, n) }
    if let n = step("global_step_") ?? step("global_steps_") { return (.verl, n) }
    if let n = step("global_step", "_hf") { return (.openRLHF, n) }
    return nil
  }

  /// True for names that trainers give the folders of checkpoints.
  package static func looksLikeCheckpoint(_ name: String) -> Bool { layout(ofFolderNamed: name) != nil }

  /// The folder with `adapter_config.json`: this one, one of verl's places for it, or the only named adapter below.
  private static func adapter(in path: String) throws(FileError) -> String? {
    func holdsAdapter(_ folder: String) -> Bool {
      FileManager.default.fileExists(atPath: folder + "/" + PEFTConfiguration.fileName)
    }
    for place in ["", "/actor/lora_adapter", "/lora_adapter", "/actor", "/default"] where holdsAdapter(path + place) {
      return path + place
    }
    // A link that leads nowhere holds nothing.
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let named = try subfolders(of: path).filter { holdsAdapter(path + "/" + $0) }
    guard named.count <= 1 else {
      throw FileError(
        .badContent, path: path, "expected one adapter, found \(named.count): \(named.joined(separator: ", "))",
        remedy: "Name one of these folders")
    }
    return named.first.map { path + "/" + $0 }
  }

  /// The names of the folders in `path`, sorted.
  private static func subfolders(of path: String) throws(FileError) -> [String] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw FileError(.cannotOpen, path: path, "no such file or folder")
    }
    guard isFolder.boolValue else {
      throw FileError(
        .badContent, path: path, "expected a folder with an adapter or with checkpoints, found a file",
        remedy: "`spectroscope inspect` says what it is")
    }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      throw FileError(.cannotOpen, path: path, "the folder cannot be read", remedy: "Check its permissions")
    }
    // A link that leads nowhere is kept, so that it is said and not passed over.
    return names.filter {
      !FileManager.default.fileExists(atPath: path + "/" + $0, isDirectory: &isFolder) || isFolder.boolValue
    }.sorted()
  }

  private static func single(_ adapter: String, source: String) -> Checkpoint {
    for folder in [adapter, source] {
      // `URL` resolves `.` and a trailing slash, so that the folder's real name is seen.
      let name = URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent
      if let named = layout(ofFolderNamed: name) {
        return Checkpoint(step: named.step, path: adapter, statesStep: true)
      }
      if let step = stepOfTrainerState(in: folder) { return Checkpoint(step: step, path: adapter, statesStep: true) }
    }
    return Checkpoint(step: 0, path: adapter, statesStep: false)
  }

  /// `global_step` of the Hugging Face Trainer's state, which may hold NaN among its logs.
  private static func stepOfTrainerState(in folder: String) -> Int? {
    let path = folder + "/trainer_state.json"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try? JSONValue(contentsOf: path, allowingNonFinite: true)["global_step"]?.int
  }

  private static func mostFrequent(_ layouts: [Layout]) -> Layout {
    let counts = layouts.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    return layouts.max { counts[$0]! < counts[$1]! }!
  }

  private static func noAdapters(in path: String, containing names: [String]) -> FileError {
    FileError(
      .badContent, path: path,
      "expected \(PEFTConfiguration.fileName), or folders named checkpoint-N, global_step_N or global_stepN_hf that hold one, "
        + "found \(names.isEmpty ? "no folder" : "only " + names.prefix(4).joined(separator: ", "))",
      remedy: "Pass the folder that your trainer writes its checkpoints to")
  }
}
