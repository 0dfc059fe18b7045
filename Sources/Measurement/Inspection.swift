import Adapters
import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Spectra
import Weights

/// What a file or folder is, in a few facts, and what looks wrong with it.
package struct Inspection: Sendable {
  /// What it was recognised as.
  package enum Kind: String, Sendable {
    case adapter = "adapter folder"
    case series = "series of checkpoints"
    case run = "run folder"
    case packedRun = "packed run"
    case runFile = "file of a run"
    case base = "base model"
    case basis = "spectral basis"
    case adapterWeights = "adapter weights"
    case weights = "safetensors file"
    case analysis = "analysis file"
    case json = "JSON file"
    case unknown = "not recognised"
  }

  /// Reads what may crash the process that reads it: a caller with untrusted files has a child do it.
  package struct Reader {
    package var analysis: (String) throws(FileError) -> Analysis
    package var run: (String) throws(FileError) -> ExtractedRun
    /// Whether an HDF5 file is a packed run, which `run` then reads.
    package var isPackedRun: (String) throws(FileError) -> Bool
    /// The folder of a base as a run recorded it.
    package var locateBase: (String) throws(FileError) -> String

    /// By default everything is read in this process, and a base is where the run says.
    package init(
      analysis: @escaping (String) throws(FileError) -> Analysis = { path throws(FileError) in
        try AnalysisFile.read(from: path)
      },
      run: @escaping (String) throws(FileError) -> ExtractedRun = { path throws(FileError) in
        try ExtractedRun(of: path)
      },
      isPackedRun: @escaping (String) throws(FileError) -> Bool = { path throws(FileError) in false },
      locateBase: @escaping (String) throws(FileError) -> String = { base throws(FileError) in base }
    ) {
      self.analysis = analysis
      self.run = run
      self.isPackedRun = isPackedRun
      self.locateBase = locateBase
    }
  }

  package private(set) var kind: Kind
  /// Names and values, in the order to show them.
  package internal(set) var facts: OrderedDictionary<String, JSONValue> = [:]
  /// What looks wrong; empty where nothing does.
  package internal(set) var findings: [Finding] = []
  /// Set where the content cannot be used at all.
  package private(set) var error: FileError?

  /// True where something is broken, rather than merely odd.
  package var isBroken: Bool { error != nil || findings.contains { ["SP104", "SP110", "SP508"].contains($0.code) } }

  /// Looks at `path`; reads headers, and of adapters the values.
  ///
  /// - Parameter reader: reads HDF5 files.
  /// - Throws: `FileError.cannotOpen` where there is nothing to look at. Broken content is a result, not an error.
  package init(path: String, reader: Reader = Reader()) throws(FileError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw FileError(.cannotOpen, path: path, "no such file or folder")
    }
    kind = isFolder.boolValue ? Self.kind(ofFolder: path) : Self.kind(ofFile: path)
    do throws(FileError) {
      if kind == .analysis, try reader.isPackedRun(path) { kind = .packedRun }
      switch kind {
      case .adapter, .series: try describeSeries(path)
      case .base: try describeBase(path)
      case .basis: try describeBasis(path)
      case .adapterWeights, .weights: try describeWeights(path)
      case .run, .packedRun: try describeRun(reader.run(path), locateBase: reader.locateBase)
      case .runFile: describeRunFile(path)
      case .analysis: try describeAnalysis(reader.analysis(path))
      case .json: describeJSON(path)
      case .unknown: try describeUnknown(path, isFolder: isFolder.boolValue)
      }
    } catch {
      if error.kind == .cannotOpen { throw error }
      fail(error)
    }
  }

  /// Keeps why the content, or a part of it, cannot be used; the first reason stays.
  mutating func fail(_ error: FileError) { self.error = self.error ?? error }
}

// MARK: - Recognising

extension Inspection {
  private static func kind(ofFolder path: String) -> Kind {
    if RunFolder.isRun(at: path) { return .run }
    if let series = try? CheckpointSeries(path: path) {
      switch series.layout {
      case .adapterFolder: return .adapter
      case .weightsFolder: return .base
      default: return .series
      }
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    if names.contains(where: { CheckpointSeries.looksLikeCheckpoint($0) }) { return .series }
    if BasisFile.isIn(folder: path, names) { return .basis }
    let isModel = names.contains {
      $0.hasSuffix(".safetensors") || $0.hasSuffix(".safetensors.index.json") || $0.hasSuffix(".bin")
    }
    return isModel ? .base : .unknown
  }

  private static func kind(ofFile path: String) -> Kind {
    if RunLayout.run(holding: path) != nil { return .runFile }
    if HDF5File.hasSignature(path) { return .analysis }
    guard let file = try? TensorFile(path: path) else {
      if path.hasSuffix(".json"), (try? JSONValue(contentsOf: path, allowingNonFinite: true)) != nil { return .json }
      return path.hasSuffix(".safetensors") ? .weights : .unknown
    }
    return file.tensors.keys.contains(where: StoredMethods.name) ? .adapterWeights : .weights
  }
}

// MARK: - Describing

extension Inspection {
  private mutating func describeSeries(_ path: String) throws(FileError) {
    let series = try CheckpointSeries(path: path)
    let opened = OpenedSeries(series)
    let remarks = opened.remarks + opened.remarksOnValues()
    facts["layout"] = .string(series.layout.rawValue)
    facts["steps"] = .array(series.checkpoints.map { .integer($0.step) })
    if let last = opened.checkpoints.last?.adapter { describe(last) }
    findings = Finding.findings(from: remarks)
  }

  private mutating func describe(_ adapter: AdapterFolder) {
    let configuration = adapter.configuration
    let adapted = adapter.modules.filter { !$0.isWhole }
    facts["method"] = .string(adapter.method.rawValue)
    facts["rank"] = Self.distinct(adapted.compactMap { $0.rank.map(JSONValue.integer) })
    if configuration.hasAlpha {
      facts["alpha"] = Self.distinct(adapted.map { .number(configuration.alpha(of: $0.path)) })
    }
    facts["scaling"] = Self.distinct(adapted.compactMap { $0.scaling.map(JSONValue.number) })
    facts["start"] = .string(configuration.initialization.name)
    for name in ["rank", "scaling"] where facts[name] == .array([]) { facts[name] = nil }
    describeModules(of: adapter)
    facts["base"] = configuration.baseModel.map(JSONValue.string) ?? .null
  }

  /// Which modules an adapter changes, and as what numbers it is stored.
  mutating func describeModules(of adapter: AdapterFolder) {
    let adapted = adapter.modules.filter { !$0.isWhole }
    let whole = adapter.modules.filter(\.isWhole)
    let shown = adapted.isEmpty ? whole : adapted
    facts["modules"] = .integer(shown.count)
    facts["targets"] = Self.distinct(shown.map { .string($0.path.split(separator: ".").last.map(String.init) ?? "") })
    if !adapted.isEmpty, !whole.isEmpty { facts["whole weights"] = .array(whole.map { .string($0.path) }) }
    facts["types"] = Self.distinct(adapter.modules.map { .string($0.format.rawValue) })
  }

  private mutating func describeBase(_ path: String) throws(FileError) {
    let base = try BaseModel(path: path)
    var types: OrderedDictionary<String, Int> = [:]
    var matrices = 0
    var unread: OrderedSet<String> = []
    for name in base.tensorNames {
      let entry = try base.entry(name)
      types[entry.elementType.rawValue, default: 0] += 1
      matrices += entry.shape.count == 2 ? 1 : 0
      if try !base.isReadable(name) { unread.append(entry.elementType.rawValue) }
    }
    let configuration = try? JSONValue(contentsOf: path + "/config.json")
    if let name = configuration?["architectures"]?.array?.first { facts["architecture"] = name }
    facts["tensors"] = .integer(base.tensorNames.count)
    facts["matrices"] = .integer(matrices)
    facts["types"] = .object(types.mapValues(JSONValue.integer))
    facts["bytes"] = .integer(try base.totalBytes())
    if !unread.isEmpty {
      findings.append(
        Finding(
          AdapterRemark(
            .notAnalysed,
            "tensors of type \(unread.joined(separator: ", ")) are not read; modules over them are left out")))
    }
  }

  private mutating func describeWeights(_ path: String) throws(FileError) {
    let file = try TensorFile(path: path)
    var nonFinite: [AdapterRemark] = []
    for (name, entry) in file.tensors where entry.elementType.format != nil {
      if let problem = try file.countNonFinite(of: name).error(path: path, name: name) {
        nonFinite.append(AdapterRemark(.nonFinite, "\(problem)"))
      }
    }
    facts["tensors"] = .integer(file.tensors.count)
    facts["types"] = Self.distinct(file.tensors.values.map { .string($0.elementType.rawValue) })
    facts["bytes"] = .integer(file.tensors.values.reduce(0) { $0 + $1.byteCount })
    if kind == .adapterWeights { facts["note"] = "pass its folder, which has the configuration too" }
    findings = Finding.findings(from: nonFinite)
  }

  private mutating func describeAnalysis(_ analysis: Analysis) {
    facts["source"] = .string(analysis.origin.source)
    facts["base"] = .string(analysis.origin.base)
    facts["written by"] = .string(analysis.origin.createdBy)
    facts["depth"] = .string(analysis.origin.depth)
    facts["coverage"] = .string(analysis.origin.coverage)
    facts["steps"] = .array(OrderedSet(analysis.rows.map(\.step)).map(JSONValue.integer))
    facts["deltas"] = .array(Set(analysis.rows.map(\.delta)).sorted().map { .string($0.rawValue) })
    facts["modules"] = .integer(Set(analysis.rows.map(\.module)).count)
    findings = analysis.findings
  }

  /// JSON that goes with an adapter or a model; what there is to say is said of its folder.
  private mutating func describeJSON(_ path: String) {
    let role =
      switch path.split(separator: "/").last {
      case "adapter_config.json": "the configuration of an adapter"
      case "config.json": "the configuration of a model"
      case "trainer_state.json": "the state of the Hugging Face Trainer"
      case let name? where name.hasSuffix(".safetensors.index.json"): "the index of a sharded model"
      default: "no file that is read"
      }
    facts["role"] = .string(role)
    facts["note"] = "pass its folder"
  }

  private func describeUnknown(_ path: String, isFolder: Bool) throws(FileError) {
    // The readers' own messages say best what was found instead of what they read.
    if isFolder {
      _ = try CheckpointSeries(path: path)
    } else {
      _ = try TensorFile(path: path)
    }
  }

  /// One value where all are equal, else the list of those that occur.
  private static func distinct(_ values: [JSONValue]) -> JSONValue {
    let different = values.reduce(into: [JSONValue]()) { if !$0.contains($1) { $0.append($1) } }
    return different.count == 1 ? different[0] : .array(different)
  }
}

// MARK: - Output

extension Inspection {
  /// A heading and a line for each fact and finding.
  package var text: String {
    var lines = [kind.rawValue]
    let width = facts.keys.map(\.count).max() ?? 0
    for (name, value) in facts {
      lines.append("  \(name)\(String(repeating: " ", count: width - name.count))  \(Self.plain(value))")
    }
    if let error { lines.append("  broken: \(error)") }
    for finding in findings {
      let step = finding.step.map { "step \($0): " } ?? ""
      lines.append("  \(finding.severity.rawValue) \(finding.code) \(finding.name): \(step)\(finding.message)")
    }
    if error == nil, findings.isEmpty { lines.append("  nothing looks wrong") }
    return lines.joined(separator: "\n")
  }

  package var json: JSONValue {
    [
      "kind": .string(kind.rawValue), "facts": .object(facts),
      "error": error.map { .string("\($0)") } ?? .null, "broken": .bool(isBroken),
      "findings": .array(
        findings.map {
          [
            "step": $0.step.map(JSONValue.integer) ?? .null, "code": .string($0.code), "name": .string($0.name),
            "severity": .string($0.severity.rawValue), "module": $0.module.map(JSONValue.string) ?? .null,
            "message": .string($0.message),
          ]
        }),
    ]
  }

  private static func plain(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): text
    case .array(let values): values.map(plain).joined(separator: ", ")
    case .object(let entries): entries.map { "\($0.key) \(plain($0.value))" }.joined(separator: ", ")
    case .null: "–"
    default: value.text()
    }
  }
}

extension AdapterFolder {
  /// What the values themselves tell: tensors that are not finite, and modules whose update is exactly zero.
  func remarksOnValues() throws(FileError) -> [AdapterRemark] {
    var remarks: [AdapterRemark] = []
    var zero = 0
    for (name, entry) in weights.tensors where entry.elementType.format != nil {
      if let problem = try weights.countNonFinite(of: name).error(path: weights.path, name: name) {
        remarks.append(AdapterRemark(.nonFinite, "\(problem)"))
      }
    }
    guard remarks.isEmpty else { return remarks }
    let adapted = modules.filter { !$0.isWhole }
    for module in adapted where try isUntrained(module) { zero += 1 }
    if zero > 0 {
      let what = adapted.allSatisfy(\.isLoRA) ? "B or A" : "the update"
      remarks.append(
        AdapterRemark(
          .bIsZero, value: Double(zero),
          "\(what) of \(zero) of \(adapted.count) modules is exactly zero: nothing was trained there"))
    }
    return remarks
  }
}
