import Foundation
import LinearAlgebra
import Measurement
import OrderedCollections
import RunStore
import Spectra
import Synchronization
import TestSupport
import Testing
import Weights

/// Bases are made once, known without reading a weight, and made anew where a weight has changed.
@Suite struct BasisFolderTests {
  private let run: SyntheticRun
  private var base: String { run.folder.path("base") }
  private var weights: String { base + "/model.safetensors" }
  private var bases: String { run.folder.path("bases") }

  init() throws {
    run = try SyntheticRun()
    for step in [10, 20] { try run.write(step: step) }
  }

  @discardableResult
  private func make(directions: Int = 2, verifies: Bool = false, jobs: Int = 1) throws -> BasisPlan.Outcome {
    try BasisPlan(
      base: base, folder: BasisFolder(path: bases, verifies: verifies), keeping: KeptVectors(directions: directions),
      jobs: jobs
    ).run(shouldStop: { false }, report: { _ in })
  }

  private func expect(_ outcome: BasisPlan.Outcome, computed: Int, kept: Int) {
    #expect(outcome.computed == computed && outcome.kept == kept && outcome.failures.isEmpty)
  }

  private func times(_ path: String) throws -> Date {
    try #require(try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date)
  }

  /// Changes one number of a weight; the file's size stays.
  private func changeAWeight(keepingTime: Bool) throws {
    let (time, reference) = (try times(weights), run.folder.path("reference"))
    // To the nanosecond, which no date holds.
    try #require(try TestSupport.run("/usr/bin/touch", ["-r", weights, reference]).status == 0)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: weights))
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: URL(fileURLWithPath: weights))
    if keepingTime {
      try #require(try TestSupport.run("/usr/bin/touch", ["-r", reference, weights]).status == 0)
    } else {
      try FileManager.default.setAttributes([.modificationDate: time + 5], ofItemAtPath: weights)
    }
  }

  @Test func aSecondStartReadsNoWeight() throws {
    expect(try make(), computed: 2, kept: 0)
    expect(try make(jobs: 2), computed: 0, kept: 2)
    // Nobody who read the weights could take these for the same.
    try changeAWeight(keepingTime: true)
    expect(try make(), computed: 0, kept: 2)
    expect(try make(verifies: true), computed: 1, kept: 1)
    expect(try make(verifies: true), computed: 0, kept: 2)
  }

  /// At depth `update` a second analysis reads no weight; a weight that has changed is read again, and so is one whose line was torn.
  @Test func normsAreKeptBesideTheBases() throws {
    func norms() throws -> [Double?] {
      let options = MeasurementOptions(
        source: run.folder.path("run"), base: base, depth: .update, basis: BasisFolder(path: bases),
        output: run.folder.path("analysis.h5"))
      let rows = try MeasurementPlan(options).run(options).analysis.rows
      return rows.map { $0.metrics[.relativeNorm] }
    }
    let first = try norms()
    let file = bases + "/norms.jsonl"
    let kept = try String(contentsOfFile: file, encoding: .utf8)
    #expect(kept.split(separator: "\n").count == 2)
    #expect(try norms() == first && String(contentsOfFile: file, encoding: .utf8) == kept)
    // Another norm in the file is believed, which shows that it is read.
    let forged = kept.replacing(/"norm":[0-9.eE+-]+/, with: "\"norm\":1")
    try forged.write(toFile: file, atomically: true, encoding: .utf8)
    #expect(try norms() != first)
    try (kept.dropLast(20) + "\n").description.write(toFile: file, atomically: true, encoding: .utf8)
    #expect(try norms() == first && String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").count == 3)
    try changeAWeight(keepingTime: false)
    #expect(try norms() != first)
  }

  @Test func whereTheTimeDiffersTheContentDecides() throws {
    try make()
    let file = bases + "/layers.0.q.weight.safetensors"
    let text = try TensorFile(path: file).metadata["source"]
    try FileManager.default.setAttributes([.modificationDate: try times(weights) + 5], ofItemAtPath: weights)
    expect(try make(), computed: 0, kept: 2)
    #expect(try TensorFile(path: file).metadata["source"] != text, "the file is known by its new time from now on")
    try changeAWeight(keepingTime: false)
    expect(try make(), computed: 1, kept: 1)
  }

  /// A basis that claims what cannot be is made anew, as one that is damaged.
  @Test(arguments: [
    ("leading", "9223372036854775807"), ("trailing", "9223372036854775807"), ("error_squared", "nan"),
    ("error_squared", "-1"), ("frobenius_norm", "large"), ("frobenius_norm", "inf"),
  ]) func impossibleMetadataIsNotBelieved(name: String, value: String) throws {
    try make()
    let path = bases + "/layers.0.q.weight.safetensors"
    let file = try TensorFile(path: path)
    let good = try Data(contentsOf: URL(fileURLWithPath: path))
    var metadata = file.metadata
    metadata[name] = value
    var writer = SafetensorsWriter(metadata: metadata)
    for (tensor, entry) in file.tensors {
      writer.add(tensor, shape: entry.shape, try file.readFinite(tensor, as: Double.self))
    }
    try writer.write(to: path)
    expect(try make(), computed: 1, kept: 1)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == good)
  }

  @Test func verifyingForgetsTheNorms() throws {
    try FileManager.default.createDirectory(atPath: bases, withIntermediateDirectories: true)
    let file = bases + "/norms.jsonl"
    try "{}\n".write(toFile: file, atomically: true, encoding: .utf8)
    try make()
    #expect(FileManager.default.fileExists(atPath: file))
    try make(verifies: true)
    #expect(!FileManager.default.fileExists(atPath: file))
  }

  @Test func aCopyOfTheModelIsTheSameModel() throws {
    try make()
    let copy = run.folder.path("copy")
    try FileManager.default.copyItem(atPath: base, toPath: copy)
    let outcome = try BasisPlan(
      base: copy, folder: BasisFolder(path: bases), keeping: KeptVectors(directions: 2), jobs: 1
    ).run(shouldStop: { false }, report: { _ in })
    expect(outcome, computed: 0, kept: 2)
  }

  @Test(arguments: ["", "not a tensor", "{}"]) func aDamagedFileIsMadeAnew(text: String) throws {
    try make()
    let file = bases + "/layers.0.q.weight.safetensors"
    let whole = try Data(contentsOf: URL(fileURLWithPath: file))
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    expect(try make(), computed: 1, kept: 1)
    #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == whole)
    try whole.dropLast(100).write(to: URL(fileURLWithPath: file))
    expect(try make(), computed: 1, kept: 1)
  }

  @Test func anInterruptionLosesOnlyWhatIsInFlight() throws {
    let plan = try BasisPlan(
      base: base, folder: BasisFolder(path: bases), keeping: KeptVectors(directions: 2), jobs: 1)
    let done = Mutex(0)
    let stopped = try #require(throws: MeasurementPlan.Interrupted.self) {
      try plan.run(shouldStop: { done.withLock { $0 } > 0 }, report: { state in done.withLock { $0 = state.done } })
    }
    #expect(stopped.progress.done == 1 && stopped.progress.total == 2)
    #expect(try FileManager.default.contentsOfDirectory(atPath: bases).count == 1)
    expect(try make(), computed: 1, kept: 1)
  }

  /// A folder that cannot take the new time is used all the same.
  @Test func aReadOnlyFolderIsUsed() throws {
    try make()
    try FileManager.default.setAttributes([.modificationDate: try times(weights) + 5], ofItemAtPath: weights)
    try #require(
      try TestSupport.run("/bin/sh", ["-c", "chattr +i '\(bases)' 2>/dev/null || chmod a-w '\(bases)'"]).status == 0)
    defer { _ = try? TestSupport.run("/bin/sh", ["-c", "chattr -i '\(bases)' 2>/dev/null; chmod u+w '\(bases)'"]) }
    expect(try make(), computed: 0, kept: 2)
  }

  @Test func aWeightThatIsNotFiniteIsNamed() throws {
    var writer = SafetensorsWriter()
    writer.add("a.weight", shape: [4, 3], Array(repeating: 1.5, count: 11) + [.nan], as: .float32)
    writer.add("b.weight", shape: [4, 3], (0..<12).map(Double.init), as: .float32)
    try writer.write(to: weights)
    let outcome = try make()
    #expect(outcome.computed == 1 && outcome.failures.count == 1)
    #expect(outcome.failures[0].description.contains("a.weight") && outcome.failures[0].kind == .nonFinite)
  }

  /// An analysis is the same with and without a folder, and with one that keeps more than it needs.
  @Test func theFolderChangesNothing() throws {
    let alone = try run.measure().analysis
    for directions in [2, 5] {
      try make(directions: directions)
      var options = run.options(output: "kept-\(directions).h5")
      options.basis = BasisFolder(path: bases)
      let analysis = try MeasurementPlan(options).run(options).analysis
      #expect(analysis.rows == alone.rows && analysis.baseValues == alone.baseValues)
      #expect(try AnalysisFile.read(from: options.output) == analysis)
    }
  }

  /// Beyond 1024 only the ends are kept, and what is told from them agrees with a whole decomposition within the error that is printed.
  @Test(arguments: [(1100, 1040), (1040, 1100)]) func theEndsTellWhatTheWholeTells(rows: Int, columns: Int) throws {
    let folder = try TemporaryFolder()
    var random = SeededGenerator(seed: 1)
    let spread: [Double] = (0..<rows * columns).map { index in
      let weight = Double(1 + index % 7)
      return random.normal() / weight
    }
    var writer = SafetensorsWriter()
    writer.add("w.weight", shape: [rows, columns], spread, as: .float32)
    try FileManager.default.createDirectory(atPath: folder.path("base"), withIntermediateDirectories: true)
    try writer.write(to: folder.path("base/model.safetensors"))
    for step in [1, 2] {
      let name = "run/checkpoint-\(step)"
      try folder.write(name + "/adapter_config.json", #"{"peft_type": "LORA", "r": 4, "lora_alpha": 8}"#)
      var adapter = SafetensorsWriter()
      let a = (0..<4 * columns).map { _ in random.normal() / 30 }
      adapter.add("w.lora_A.weight", shape: [4, columns], a, as: .float32)
      let b = (0..<4 * rows).map { _ in random.normal() * 1e-4 * Double(step) }
      adapter.add("w.lora_B.weight", shape: [rows, 4], b, as: .float32)
      try adapter.write(to: folder.path(name + "/adapter_model.safetensors"))
    }
    func measured(_ depth: MeasurementDepth) throws -> [SpectrumRow] {
      let options = MeasurementOptions(
        source: folder.path("run"), base: folder.path("base"), depth: depth,
        basis: BasisFolder(path: folder.path("bases")), jobs: 2, output: folder.path("\(depth).h5"))
      return try MeasurementPlan(options).run(options).analysis.rows
    }
    let geometry = try measured(.auto)
    #expect(try measured(.auto) == geometry, "from the folder as computed")
    let full = try measured(.full)
    #expect(geometry.count == 6 && full.count == 6)
    for (a, b) in zip(geometry, full) {
      #expect(a.profile.isEmpty && a.metrics[.spectralShift] == nil)
      for metric in [Metric.leftEnergyTop, .rightEnergyBottom, .leftEnergyNull, .rightEnergyNull, .leftAngleMax] {
        #expect(a.metrics[metric] == b.metrics[metric])
      }
      #expect((a.metrics[.leftEnergyNull] != nil) == (rows > columns))
      for metric in [Metric.leftRotationMax, .leftRotationMean, .rightRotationMax, .rightRotationMean] {
        let (x, y) = (try #require(a.metrics[metric]), try #require(b.metrics[metric]))
        #expect(abs(x - y) <= a.metrics[.rotationError]! + b.metrics[.rotationError]!, "\(metric): \(x), \(y)")
        #expect(abs(x - y) <= max(1e-3 * y, 1e-4))
      }
      if a.delta != .previous {
        #expect(b.metrics[.spectralShift] != nil && b.metrics[.intruderCount] != nil)
      }
    }
  }
}
