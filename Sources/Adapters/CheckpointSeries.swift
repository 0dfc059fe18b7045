import Foundation
import Weights

/// The checkpoints of one training run, in the order of their steps, wherever the trainer put them.
package struct CheckpointSeries: Equatable, Sendable {
  /// Who laid out the folder.
  package enum Layout: String, Sendable {
    case adapterFolder = "one adapter folder"
    case weightsFolder = "one folder of whole weights"
    case huggingFaceTrainer = "checkpoint-N series (Hugging Face Trainer, TRL, unsloth)"
    case verl = "global_step_N series (verl)"
    case openRLHF = "global_stepN_hf series (OpenRLHF)"
    case mlx = "NNNNNNN_adapters.safetensors series (MLX)"
  }

  /// One checkpoint: where it lies, and the step it was taken at.
  package struct Checkpoint: Equatable, Sendable {
    package var step: Int
    package var place: AdapterPlace
    /// True where the folder's name or the trainer's state says the step; false where nothing does and 0 stands for it.
    package var statesStep: Bool

    /// The folder that holds it.
    package var path: String { place.path }
  }

  package let path: String
  package let layout: Layout
  /// In ascending order of steps, each step once.
  package let checkpoints: [Checkpoint]
  /// Folders that look like checkpoints and hold no adapter, each with the reason.
  package let remarks: [AdapterRemark]

  /// Looks for checkpoints in `path`: a series below it, or the folder itself as one checkpoint.
  ///
  /// - Throws: `FileError` where the path cannot be opened or holds no adapter.
  package init(path: String) throws(FileError) {
    self.path = path
    let names = try CheckpointSearch.subfolders(of: path)
    let series = names.compactMap { name in
      Self.layout(ofFolderNamed: name).map { CheckpointSearch.Entry(name: name, layout: $0.0, step: $0.1) }
    }
    if !series.isEmpty {
      var search = CheckpointSearch(path: path)
      (layout, checkpoints) = try search.search(series, names: names)
      remarks = search.remarks
    } else if let numbered = try CheckpointSearch.numberedFiles(in: path) {
      layout = .mlx
      (checkpoints, remarks) = numbered
    } else {
      guard let place = try CheckpointSearch.place(in: path) else {
        throw CheckpointSearch.noAdapters(in: path, containing: names)
      }
      layout = place.isAdapter || place.form == .shards ? .adapterFolder : .weightsFolder
      checkpoints = [Self.single(place, source: path)]
      remarks = []
    }
  }

  private static func single(_ place: AdapterPlace, source: String) -> Checkpoint {
    for folder in [place.path, source] {
      // `URL` resolves `.` and a trailing slash, so that the folder's real name is seen.
      let name = URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent
      if let named = layout(ofFolderNamed: name) {
        return Checkpoint(step: named.step, place: place, statesStep: true)
      }
      if let step = stepOfTrainerState(in: folder) { return Checkpoint(step: step, place: place, statesStep: true) }
    }
    return Checkpoint(step: 0, place: place, statesStep: false)
  }

  /// `global_step` of the Hugging Face Trainer's state, which may hold NaN among its logs.
  private static func stepOfTrainerState(in folder: String) -> Int? {
    let path = folder + "/trainer_state.json"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try? JSONValue(contentsOf: path, allowingNonFinite: true)["global_step"]?.int
  }
}

// MARK: - Names of folders

extension CheckpointSeries {
  /// The layout and step that a folder's name stands for: `checkpoint-N`, `global_step_N` or `global_stepN_hf`.
  package static func layout(ofFolderNamed name: String) -> (Layout, step: Int)? {
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
}
