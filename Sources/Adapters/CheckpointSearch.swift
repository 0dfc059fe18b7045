import Foundation
import Weights

/// Looks through the folder of a run for its checkpoints.
struct CheckpointSearch {
  /// A folder that is named like a checkpoint.
  struct Entry {
    var name: String
    var layout: CheckpointSeries.Layout
    var step: Int
  }

  let path: String
  private(set) var remarks: [AdapterRemark] = []
  /// Why the first folder that could not be looked into could not.
  private var firstError: FileError?
  private var found: [Int: CheckpointSeries.Checkpoint] = [:]

  init(path: String) { self.path = path }

  /// The checkpoints among folders named like ones, of the layout that is most frequent.
  ///
  /// - Parameter names: all folders, for the message where none holds an adapter.
  mutating func search(
    _ series: [Entry], names: [String]
  ) throws(FileError) -> (CheckpointSeries.Layout, [CheckpointSeries.Checkpoint]) {
    let layout = Self.mostFrequent(series.map(\.layout))
    for entry in series where entry.layout == layout { take(entry) }
    for entry in series where entry.layout != layout {
      remarks.append(
        AdapterRemark(
          .seriesChanged, step: entry.step,
          "\(path)/\(entry.name) belongs to another layout than the \(layout.rawValue) around it and is left out"))
    }
    if let beside = AdapterPlace(in: path) {
      remarks.append(
        AdapterRemark(
          .notAnalysed,
          "the \(beside.isAdapter ? "adapter" : "model") in \(path) itself, beside its checkpoints, states no step and is "
            + "left out; name it alone to analyse it"))
    }
    guard !found.isEmpty else { throw firstError ?? Self.noAdapters(in: path, containing: names) }
    return (layout, found.values.sorted { $0.step < $1.step })
  }

  private mutating func take(_ entry: Entry) {
    let place: AdapterPlace?
    do throws(FileError) {
      place = try Self.place(in: path + "/" + entry.name)
    } catch {
      firstError = firstError ?? error
      remarks.append(AdapterRemark(.damagedCheckpoint, step: entry.step, "\(error)"))
      return
    }
    guard let place else {
      remarks.append(
        AdapterRemark(
          .damagedCheckpoint, step: entry.step,
          "\(path)/\(entry.name): expected \(PEFTConfiguration.fileName), found none; the checkpoint is left out. "
            + "It may still be being written, or hold no adapter"))
      return
    }
    if let other = found[entry.step] {
      remarks.append(
        AdapterRemark(
          .seriesChanged, step: entry.step,
          "\(path)/\(entry.name) has the step of \(other.path) and is left out. Are there two runs in this folder?"))
      return
    }
    found[entry.step] = CheckpointSeries.Checkpoint(step: entry.step, place: place, statesStep: true)
  }

  private static func mostFrequent(_ layouts: [CheckpointSeries.Layout]) -> CheckpointSeries.Layout {
    let counts = layouts.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    return layouts.max { counts[$0]! < counts[$1]! }!
  }
}

// MARK: - Places

extension CheckpointSearch {
  /// What lies in a folder: an adapter there, in one of verl's places for it, or the only named one below; else whole weights, or
  /// the shards of a state, there or where verl puts them.
  static func place(in path: String) throws(FileError) -> AdapterPlace? {
    func adapter(_ folder: String) -> AdapterPlace? {
      AdapterPlace(in: folder).flatMap { $0.isAdapter ? $0 : nil }
    }
    for place in ["", "/actor/lora_adapter", "/lora_adapter", "/actor", "/default"] {
      if let found = adapter(path + place) { return found }
    }
    // A link that leads nowhere holds nothing.
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let named = try subfolders(of: path).filter { adapter(path + "/" + $0) != nil }
    guard named.count <= 1 else {
      throw FileError(
        .badContent, path: path, "expected one adapter, found \(named.count): \(named.joined(separator: ", "))",
        remedy: "Name one of these folders")
    }
    if let only = named.first { return adapter(path + "/" + only) }
    return ["", "/actor/huggingface", "/huggingface", "/actor"].lazy.compactMap { AdapterPlace(in: path + $0) }.first
  }

  /// MLX's numbered weights in a folder with its configuration; nil where there is none. The latest weights, which carry no number,
  /// are said to be left out unless a numbered file has the same bytes.
  static func numberedFiles(
    in path: String
  ) throws(FileError) -> (checkpoints: [CheckpointSeries.Checkpoint], remarks: [AdapterRemark])? {
    guard FileManager.default.fileExists(atPath: path + "/" + PEFTConfiguration.fileName),
      let names = try? FileManager.default.contentsOfDirectory(atPath: path)
    else { return nil }
    let numbered = names.compactMap { name in MLXFolder.step(ofFileNamed: name).map { (step: $0, name: name) } }
      .sorted { ($0.step, $0.name) < ($1.step, $1.name) }
    guard !numbered.isEmpty else { return nil }
    var checkpoints: [CheckpointSeries.Checkpoint] = []
    for (step, name) in numbered where checkpoints.last?.step != step {
      let place = AdapterPlace(path: path, form: .mlx(name))
      checkpoints.append(CheckpointSeries.Checkpoint(step: step, place: place, statesStep: true))
    }
    let latest = path + "/" + MLXFolder.weightsName
    var isKept = false
    for entry in numbered.reversed() where !isKept { isKept = try haveSameBytes(latest, path + "/" + entry.name) }
    guard FileManager.default.fileExists(atPath: latest), !isKept else { return (checkpoints, []) }
    let remark = AdapterRemark(
      .notAnalysed,
      "\(latest) is none of the numbered files beside it, states no step and is left out; copy it with its configuration to a "
        + "folder of its own to analyse it")
    return (checkpoints, [remark])
  }

  private static func haveSameBytes(_ a: String, _ b: String) throws(FileError) -> Bool {
    guard FileManager.default.fileExists(atPath: a) else { return false }
    let (a, b) = (try PositionedFile(path: a), try PositionedFile(path: b))
    guard a.size == b.size else { return false }
    let block = 1 << 20
    for start in stride(from: 0, to: a.size, by: block) {
      let count = min(block, a.size - start)
      if try a.read(count, at: start) != b.read(count, at: start) { return false }
    }
    return true
  }

  /// The names of the folders in `path`, sorted.
  static func subfolders(of path: String) throws(FileError) -> [String] {
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

  static func noAdapters(in path: String, containing names: [String]) -> FileError {
    FileError(
      .badContent, path: path,
      "expected \(PEFTConfiguration.fileName), or folders named checkpoint-N, global_step_N or global_stepN_hf that hold one, "
        + "found \(names.isEmpty ? "no folder" : "only " + names.prefix(4).joined(separator: ", "))",
      remedy: "Pass the folder that your trainer writes its checkpoints to")
  }
}
