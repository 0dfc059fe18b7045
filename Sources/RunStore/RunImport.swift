import Adapters
import Foundation
import OrderedCollections
import Weights

/// PEFT adapters on their way into a run folder.
///
/// What `adapter_config.json` says is kept in the configuration of each checkpoint, so that the adapters come out of the run as they
/// went in.
package struct RunImport: Sendable {
  private let series: CheckpointSeries
  private let adapters: [(step: Int, adapter: AdapterFolder)]
  private let identity: RunIdentity
  private let statedMethod: AdapterMethod?

  /// Reads what the adapters are; of the tensors, names and shapes.
  ///
  /// - Parameters:
  ///   - source: a folder of checkpoint-N, or one of them.
  ///   - initial: the folder of the adapter at step 0, where the source has none.
  ///   - base: the folder of the base; the one that the adapters name where nil.
  ///   - method: what the files cannot tell.
  /// - Throws: `FileError` where there is no adapter, one cannot be read, or the steps are not known.
  package init(
    source: String, initial: String? = nil, base: String? = nil, method: AdapterMethod? = nil, createdBy: String
  ) throws(FileError) {
    series = try CheckpointSeries(path: source)
    var adapters = try series.checkpoints.map { checkpoint throws(FileError) in
      guard checkpoint.statesStep else { throw Self.withoutStep(checkpoint.path) }
      return (step: checkpoint.step, adapter: try AdapterFolder(checkpoint.place))
    }
    if let damage = series.remarks.first(where: { $0.kind == .damagedCheckpoint }) {
      throw FileError(.badContent, path: source, damage.message, remedy: "Restore it from a copy, or take it out")
    }
    if let initial { adapters = [(0, try AdapterFolder(path: initial))] + adapters.filter { $0.step != 0 } }
    self.adapters = adapters
    statedMethod = method
    let last = adapters[adapters.count - 1].adapter
    identity = try Self.identity(of: last, method ?? last.method, base: base, createdBy)
  }

  private static func withoutStep(_ path: String) -> FileError {
    FileError(
      .badContent, path: path, "expected an adapter whose step is known, found none that says it",
      remedy: "Name its folder checkpoint-N")
  }

  private static func identity(
    of adapter: AdapterFolder, _ method: AdapterMethod, base: String?, _ createdBy: String
  ) throws(FileError) -> RunIdentity {
    let configuration = adapter.configuration
    let named = base ?? configuration.baseModel ?? ""
    let isThere = FileManager.default.fileExists(atPath: named + "/config.json")
    let path = isThere ? URL(fileURLWithPath: named).standardizedFileURL.path : named
    // A base that is named here must be there; one that the adapters name may be a hub's.
    let baseID = base != nil || isThere ? try BaseIdentity.sha256(of: BaseModel(path: path)) : ""
    let trained = method.trained
    let isScaled = configuration.hasAlpha && trained?.peftType == "LORA" && method != .full
    return RunIdentity(
      method: method.rawValue, rank: trained?.isRanked == true ? configuration.rank : nil,
      alpha: configuration.hasAlpha && method != .full ? configuration.alpha : nil,
      scaling: isScaled ? configuration.scaling(of: "") : nil, seed: 0, task: "", base: path, baseID: baseID,
      createdBy: createdBy)
  }

  /// Writes the run folder: a checkpoint for each adapter, then the index.
  ///
  /// - Parameter path: new or empty.
  /// - Throws: `.badContent` where a tensor cannot be read, `.cannotCreate`, `.cannotWrite`.
  package func write(to path: String) throws(FileError) {
    try RunLayout.makeFolders(of: path)
    var initial: AdapterSnapshot?
    for (step, adapter) in adapters {
      let snapshot = try PEFTFolder.snapshot(of: adapter, step: step)
      if step == 0 { initial = snapshot }
      try RunCheckpoint(identity: try identity(of: adapter), snapshot: snapshot)
        .write(to: path + "/" + RunLayout.checkpoint(step))
    }
    var first = identity
    if let adapter = adapters.first?.adapter { first = try identity(of: adapter) }
    try RunIndex.write(first, initial: initial, in: path)
  }

  /// The run's identity with the configuration of one adapter.
  private func identity(of adapter: AdapterFolder) throws(FileError) -> RunIdentity {
    let file = adapter.path + "/" + PEFTConfiguration.fileName
    var identity = identity
    var members: PEFTMembers = [
      PEFTFolder.configurationMember: try JSONValue(contentsOf: file, allowingNonFinite: true),
      PEFTFolder.formatsMember: PEFTFolder.formats(of: adapter),
    ]
    if let statedMethod { members[RunIdentity.statedMethodMember] = .string(statedMethod.rawValue) }
    identity.configuration = .object(members)
    return identity
  }
}

extension RunIdentity {
  /// The member of the configuration that names a method which the files of PEFT's adapters could not tell.
  static let statedMethodMember = "stated_method"

  /// True for a run that PEFT's adapters were made into, with what they are in its configuration.
  var isOfPEFT: Bool { configuration[PEFTFolder.configurationMember] != nil }

  /// The method that analysis has to take for given. Adapters of PEFT's own tell it as far as they can, each by itself; of these it is
  /// what was stated beside them.
  package var givenMethod: AdapterMethod? {
    AdapterMethod(rawValue: isOfPEFT ? configuration[Self.statedMethodMember]?.string ?? "" : method)
  }
}
