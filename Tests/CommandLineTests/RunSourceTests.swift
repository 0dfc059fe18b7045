import Adapters
import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// `analyze`, `export` and `inspect` of a run folder.
@Suite struct RunSourceTests {
  let bench = try! Bench()
  private let reference = ReferenceCase.named("continued-initial")
  private var path: String { bench.path("run") }
  private var analysis: String { path + "/analysis.h5" }

  init() throws { try ReferenceRun.write(reference, method: "lora", to: path) }

  private func checkpoint(_ step: Int) -> String { path + "/" + RunLayout.checkpoint(step) }

  private func change(_ file: String, _ body: (inout Data) -> Void) throws {
    var bytes = try Data(contentsOf: URL(filePath: file))
    body(&bytes)
    try bytes.write(to: URL(filePath: file))
  }

  private func flipTensor(at step: Int) throws {
    let tensor = try #require(
      ReferenceRun.snapshot(of: "\(reference.source)/checkpoint-\(step)", step: step).modules.values.first?.first)
    let stored = tensor.values.withUnsafeBytes { Data($0) }
    try change(checkpoint(step)) { bytes in
      let place = bytes.range(of: stored)!
      bytes[place.lowerBound + 5] ^= 4
    }
  }

  private func head(_ digest: String) -> Substring { digest.prefix(12) }

  private func digest(of base: String) throws -> String { try BaseIdentity.sha256(of: BaseModel(path: base)) }

  // MARK: analyze

  @Test func aRunKnowsItsBaseAndItsPlace() throws {
    let result = try spectroscope("analyze", path + "/")
    #expect(result.status == 0, "\(result.stderr)")
    #expect(result.stderr == "6/6 modules, 4 checkpoints of lora, run folder\nwrote \(analysis)\n")
    #expect(result.steps == ["0", "5", "10", "20"])
    let inspected = try spectroscope("inspect", analysis)
    #expect(inspected.stdout.contains("  source      \(path)\n  base        \(reference.base)\n"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [
        "analysis.h5", "checkpoints", "findings.json", "run.h5", "training.h5", "training.jsonl",
      ])
  }

  @Test func theSameAsFromPEFT() throws {
    let peft = try bench.analyze(reference.source, base: reference.base, "--initial", reference.initial!)
    #expect(peft.status == 0)
    let expected = try bench.exportedRows()
    try FileManager.default.removeItem(atPath: bench.path("csv"))
    #expect(try spectroscope("analyze", path, "--out", bench.output).status == 0)
    #expect(try bench.exportedRows() == expected)
    #expect(!bench.exists(analysis))
  }

  @Test func anAnalysisGoesOnlyIntoAFolderThatIsThere() throws {
    let result = try spectroscope("analyze", path, "--out", bench.path("none/out.h5"))
    #expect(
      result.stderr
        == bench.filled("Error: {}/none/out.h5: its folder does not exist. Create {}/none first\n"))
    #expect(result.status == 73)
  }

  @Test func anotherBaseIsRefused() throws {
    let other = ReferenceCase.folder + "/bases/llama-f32"
    let result = try spectroscope("analyze", path, "--base", other)
    #expect(
      result.stderr
        == "Error: \(other): expected the base of \(path), with the sha256 \"\(try head(digest(of: reference.base)))\", "
        + "found one with \"\(try head(digest(of: other)))\". Pass the base that the run was trained on with --base; it "
        + "recorded \"\(reference.base)\"\n")
    #expect(result.status == 65)
    #expect(!bench.exists(analysis))
  }

  /// The base may have moved since: its content counts.
  @Test func aBaseThatMovedIsNamed() throws {
    var identity = try ReferenceRun.identity(reference, method: "lora")
    identity.base = "bases/gone"
    let moved = bench.path("moved")
    _ = try RunWriter(
      creating: moved, identity: identity, initial: ReferenceRun.snapshot(of: reference.initial!, step: 0))
    let result = try spectroscope("analyze", moved)
    #expect(
      result.stderr == "Error: bases/gone: expected the base that the run recorded, found no such file or folder. "
        + "Pass where it is now with --base\n")
    #expect(result.status == 66)
    #expect(try spectroscope("analyze", moved, "--base", reference.base).status == 0)
    #expect(try spectroscope("inspect", moved).stdout.contains("  base found  false\n"))
  }

  @Test func aDamagedCheckpointIsLeftOut() throws {
    try flipTensor(at: 10)
    let result = try spectroscope("analyze", path)
    #expect(result.status == 65)
    #expect(result.steps == ["0", "5", "20"])
    #expect(
      result.stderr.hasSuffix(
        "Error: left out: 1 damaged checkpoint or tensor (see the findings); the rest is in \(analysis)\n"))
    let finding = try #require(result.findings.first)
    #expect(
      finding.hasPrefix(
        "warning SP110 damaged-checkpoint: step 10: \(checkpoint(10)): /: expected tensors with the sha256 \""))
    #expect(finding.hasSuffix("they have changed since they were written. Restore the file from a copy"))
  }

  @Test func aRunWithoutSoundCheckpoints() throws {
    for step in [0, 5, 10, 20] { try change(checkpoint(step)) { $0 = $0.prefix(1000) } }
    let result = try spectroscope("analyze", path)
    #expect(result.stderr.hasPrefix("Error: \(checkpoint(0)): expected an HDF5 file, found one that is truncated"))
    #expect(result.status == 65 && result.stdout == "")
    #expect(!bench.exists(analysis))
  }

  @Test func aLostIndexIsMadeAgain() throws {
    let index = path + "/run.h5"
    let whole = try Data(contentsOf: URL(filePath: index))
    try FileManager.default.removeItem(atPath: index)
    let result = try spectroscope("analyze", path)
    #expect(result.status == 0)
    #expect(
      result.findings == [
        "warning SP111 run-index-is-lost: \(index): no such file. What it says was read from the checkpoints instead"
      ])
    #expect(try Data(contentsOf: URL(filePath: index)) == whole)
    #expect(try spectroscope("analyze", path).findings.isEmpty)
  }

  @Test(arguments: ["oft", "loha"]) func aMethodThatIsNotAnalysedYet(method: String) throws {
    let other = bench.path("other")
    _ = try RunWriter(
      creating: other, identity: ReferenceRun.identity(reference, method: method),
      initial: ReferenceRun.snapshot(of: reference.initial!, step: 0))
    let result = try spectroscope("analyze", other)
    #expect(
      result.stderr
        == "Error: \(other): method: expected a method that is analysed, found \"\(method)\", which is not yet. "
        + "Analysed so far: \(PEFTMethods.analysed), and full fine-tuning\n")
    #expect(result.status == 65)
    let inspected = try spectroscope("inspect", other)
    #expect(inspected.stdout.contains("  note        \(method) is not analysed yet\n  nothing looks wrong\n"))
    #expect(inspected.status == 0)
  }

  @Test func theEmbeddedBaseIsHeldAgainstTheRunLikeAnyOther() throws {
    var identity = try ReferenceRun.identity(reference, method: "lora")
    identity.base = RunIdentity.embeddedBase
    let other = bench.path("other")
    _ = try RunWriter(
      creating: other, identity: identity, initial: ReferenceRun.snapshot(of: reference.initial!, step: 0))
    let result = try spectroscope("analyze", other)
    #expect(result.stderr.contains(": expected the base of \(other), with the sha256 "), "\(result.stderr)")
    #expect(result.stderr.hasSuffix("with --base; it recorded \"embedded\"\n"))
    #expect(result.status == 65)
  }

  @Test func aFileOfARunIsNoSource() throws {
    let file = path + "/run.h5"
    let result = try spectroscope("analyze", file, "--base", reference.base, "--out", bench.output)
    #expect(
      result.stderr == "Error: \(file): expected a folder with an adapter or with checkpoints, found a file. "
        + "`spectroscope inspect` says what it is\n")
    let inspected = try spectroscope("inspect", file)
    #expect(
      inspected.stdout == """
        \(file): file of a run
          run   \(path)
          note  pass the run's folder
          nothing looks wrong

        """)
    #expect(inspected.status == 0)
  }

  // MARK: export

  @Test func trainingIsExported() throws {
    try #require(try spectroscope("analyze", path, "--quiet").status == 0)
    let result = try spectroscope("export", path, "--format", "csv", "--out", bench.path("tables"))
    #expect(
      result.stdout
        == bench.filled(
          "{}/tables/modules.csv\n{}/tables/singular_values.csv\n{}/tables/profiles.csv\n{}/tables/training.csv\n{}/tables/findings.csv\n"
        ))
    let table = try CSVTable(path: bench.path("tables/training.csv"))
    #expect(
      table.columns == [
        "step", "reward", "reward_std", "frac_reward_zero_std", "frac_all_pass", "frac_all_fail", "accuracy",
        "retention",
        "entropy", "kl", "kl_increment", "grad_norm", "step_norm", "clip_ratio_region_mean", "completions_mean_length",
        "completions_clipped_ratio", "learning_rate", "loss", "tokens_per_second", "module_step_norm.layers.2.q",
        "module_step_norm.layers.10.q",
      ])
    #expect(table.rows.map { $0["step"] } == (1...20).map(String.init))
    let fourth = table.rows[3]
    #expect(fourth["reward"] == "0.2" && fourth["kl"] == "" && fourth["accuracy"] == "")
    #expect(fourth["module_step_norm.layers.2.q"] == "4.0" && fourth["tokens_per_second"] == "1004.0")
    #expect(try spectroscope("export", path, "--format", "json", "--out", bench.path("tables")).status == 0)
    let json = try JSONValue(contentsOf: bench.path("tables/spectra.json"))
    #expect(json["training"]?.array?.count == 20 && json["training"]?.array?[3]["kl"] == .null)
  }

  @Test func theAnalysisAloneKnowsWhatWasLogged() throws {
    try #require(try spectroscope("analyze", path, "--quiet").status == 0)
    let result = try spectroscope("export", analysis, "--format", "csv", "--out", bench.path("tables"))
    #expect(result.stdout.contains("training.csv") && result.status == 0)
  }

  @Test func aBrokenRecordIsNamed() throws {
    try #require(try spectroscope("analyze", path, "--quiet").status == 0)
    let log = path + "/training.jsonl"
    try change(log) { $0[$0.firstIndex(of: UInt8(ascii: "\n"))! + 3] = UInt8(ascii: "\"") }
    let result = try spectroscope("export", path, "--format", "csv", "--out", bench.path("tables"))
    #expect(result.stderr.hasPrefix("Error: \(log): line 2: expected "))
    #expect(result.stderr.hasSuffix(". Mend the line, or take it out\n"))
    #expect(result.status == 65 && !bench.exists(bench.path("tables")))
    let inspected = try spectroscope("inspect", path)
    #expect(inspected.stdout.contains("  broken: \(log): line 2: expected ") && inspected.status == 65)
  }

  @Test func aRunThatIsNotAnalysedYet() throws {
    let result = try spectroscope("export", path, "--format", "csv", "--out", bench.path("tables"))
    #expect(
      result.stderr == "Error: \(path): expected an analysis file, or a folder that holds analysis.h5, found a folder "
        + "without it. Make one with `spectroscope analyze`\n")
    #expect(result.status == 66)
  }

  // MARK: inspect

  private func facts(_ findings: String, steps: String = "0, 5, 10, 20", analysed: Bool = false) -> String {
    """
    \(path): run folder
      method       lora
      rank         4
      alpha        8.0
      scaling      2.0
      seed         7
      task         arithmetic
      steps        \(steps)
      modules      6
      targets      down_proj, q_proj, v_proj
      types        F32
      records      20
      last record  20
      base         \(reference.base)
      base found   true
      written by   spectroscope test
      analysed     \(analysed)
      \(findings)

    """
  }

  @Test func aSoundRun() throws {
    let result = try spectroscope("inspect", path)
    #expect(result.stdout == facts("nothing looks wrong"))
    #expect(result.stderr == "" && result.status == 0)
    try #require(try spectroscope("analyze", path, "--quiet").status == 0)
    #expect(try spectroscope("inspect", path).stdout == facts("nothing looks wrong", analysed: true))
    let json = try JSONValue(parsing: spectroscope("inspect", path, "--json").stdout)
    #expect(json["kind"] == "run folder" && json["facts"]?["steps"] == [0, 5, 10, 20] && json["broken"] == false)
  }

  @Test func aRunWithDamage() throws {
    try flipTensor(at: 5)
    let result = try spectroscope("inspect", path)
    let start = facts("warning SP110 damaged-checkpoint: step 5: \(checkpoint(5)): /: ", steps: "0, 10, 20").dropLast()
    #expect(result.stdout.hasPrefix(start), "\(result.stdout)")
    #expect(result.status == 65)
  }

  @Test func aRunWithoutIndex() throws {
    try FileManager.default.removeItem(atPath: path + "/run.h5")
    let result = try spectroscope("inspect", path)
    #expect(
      result.stdout
        == facts(
          "warning SP111 run-index-is-lost: \(path)/run.h5: no such file. "
            + "What it says was read from the checkpoints instead"))
    #expect(result.status == 0)
    #expect(!bench.exists(path + "/run.h5"), "looking changes nothing")
    try bench.folder.write("run/run.h5", "damaged")
    let damaged = try spectroscope("inspect", path)
    #expect(damaged.stdout.contains("  broken: \(path)/run.h5: expected an HDF5 file, "))
    #expect(damaged.status == 65)
  }

  @Test func aRunWhoseBaseChanged() throws {
    let base = try bench.copy(reference.base, as: "base")
    var identity = try ReferenceRun.identity(reference, method: "lora")
    identity.base = base
    identity.baseID = String(repeating: "0", count: 64)
    let other = bench.path("other")
    _ = try RunWriter(
      creating: other, identity: identity, initial: ReferenceRun.snapshot(of: reference.initial!, step: 0))
    let result = try spectroscope("inspect", other)
    #expect(
      result.stdout.hasSuffix(
        "  alert SP508 base-differs: \(base): expected the base of \(other), with the sha256 \"000000000000\", found one with "
          + "\"\(try head(digest(of: base)))\". Were its weights changed since?\n"))
    #expect(result.status == 65)
  }

  // MARK: Hostile files

  /// Bytes of a checkpoint and of the index are changed at random: whatever HDF5 makes of it, the program ends in order, says
  /// which file it is, and the other checkpoints are there.
  @Test(arguments: ["checkpoints/00000010.h5", "run.h5"]) func aFuzzedFileTakesNothingElseWithIt(name: String) throws {
    let file = path + "/" + name
    let whole = try Data(contentsOf: URL(filePath: file))
    var generator = SplitMix(state: 20)
    for round in 0..<25 {
      var bytes = whole
      // The structure is at the front of the file and between the tensors: mostly metadata is hit.
      for _ in 0..<(1 + round % 8) {
        let range = round.isMultiple(of: 2) ? 2048 : bytes.count
        bytes[Int(generator.next() % UInt64(range))] = UInt8(truncatingIfNeeded: generator.next())
      }
      if round % 5 == 4 { bytes = bytes.prefix(Int(generator.next() % UInt64(bytes.count))) }
      try bytes.write(to: URL(filePath: file))
      let result = try spectroscope("inspect", path, "--json")
      #expect([0, 65].contains(result.status), "round \(round): \(result.status) \(result.stderr)")
      let json = try JSONValue(parsing: result.stdout)
      let steps = (json["facts"]?["steps"]?.array ?? []).map(\.int)
      #expect(Set([0, 5, 20]).isSubset(of: steps), "round \(round): \(result.stdout)")
      if result.status == 65 { #expect(result.stdout.contains(file), "round \(round)") }
    }
  }
}

/// Steele, Lea and Flood 2014: numbers that are the same on every machine.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
