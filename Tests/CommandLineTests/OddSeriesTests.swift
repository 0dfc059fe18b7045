import Foundation
import TestSupport
import Testing

/// Series in which something goes wrong or changes on the way.
@Suite struct OddSeriesTests {
  let bench = try! Bench()

  /// A copy of the LoRA run: steps 5, 10 and 20.
  private func series() throws -> String { try bench.copy(Reference.lora, as: "run") }

  private func checkpoint(_ step: Int) -> Adapter { Adapter(path: bench.path("run/checkpoint-\(step)")) }

  @Test func afterANonFiniteTensorTheLastGoodCheckpointCounts() throws {
    let source = try series()
    let module = Adapter.downProjection
    try checkpoint(10).change(Adapter.tensor(module, "B")) {
      $0.bytes.replaceSubrange(0..<4, with: [0, 0, 0x80, 0x7F])
    }
    let result = try bench.analyze(source)
    #expect(result.status == 65)
    #expect(
      result.stderr.hasSuffix(
        "Error: left out: 1 damaged checkpoint or tensor (see the findings); the rest is in \(bench.output)\n"))
    let rows = try bench.exportedRows().filter { $0["module"] == module }
    #expect(
      rows.map { "\($0["step"]!) \($0["delta"]!)" } == [
        "5 init", "5 pretrained", "5 previous", "20 init", "20 pretrained", "20 previous",
      ])
    // The norm of what step 20 adds to step 5 over fifteen steps.
    let last = rows[5]
    let velocity = try #require(Double(last["update_velocity"]!))
    let size = try #require(Double(last["relative_norm"]!))
    #expect(abs(velocity * 15 - size) < 1e-12 * size)
  }

  @Test func aCheckpointWithoutAdapter() throws {
    let source = try series()
    try FileManager.default.removeItem(atPath: checkpoint(10).configuration)
    let result = try bench.analyze(source)
    #expect(result.steps == ["5", "20"])
    #expect(
      result.findings == [
        Reference.loggedNaN,
        "warning SP110 damaged-checkpoint: step 10: \(source)/checkpoint-10: expected adapter_config.json, found none; the "
          + "checkpoint is left out. It may still be being written, or hold no adapter",
      ])
    #expect(
      result.stderr == """
        14/14 modules, 2 checkpoints of lora, checkpoint-N series (Hugging Face Trainer, TRL, unsloth)
        wrote \(bench.output)
        Error: left out: 1 damaged checkpoint or tensor (see the findings); the rest is in \(bench.output)

        """)
    #expect(result.status == 65)
    #expect(try spectroscope("inspect", source).status == 65)
  }

  @Test func aCheckpointCutShort() throws {
    let source = try series()
    try checkpoint(20).changeBytes { $0.removeLast(100) }
    let result = try bench.analyze(source)
    #expect(result.steps == ["5", "10"])
    #expect(
      result.findings == [
        Reference.loggedNaN,
        "warning SP110 damaged-checkpoint: step 20: \(checkpoint(20).weights): tensor "
          + "\"base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight\": expected 46080 bytes of data, found 45980. "
          + "Wait if the file is still being written, else copy or download it again",
      ])
    #expect(result.status == 65)
  }

  @Test func aRankThatChanges() throws {
    let source = try series()
    try checkpoint(20).cutRank(to: 3)
    try checkpoint(20).replaceInConfiguration("\"r\": 4", with: "\"r\": 3")
    let result = try bench.analyze(source)
    let finding =
      "warning SP210 series-changed: step 20: the rank of 14 modules changes between steps 10 and 20, as "
      + "model.layers.0.mlp.down_proj from 4 to 3. Are there two runs in this folder?"
    #expect(result.findings == [Reference.loggedNaN, finding])
    #expect(result.status == 0)
    #expect(try spectroscope("inspect", source).stdout.hasSuffix("\n  \(finding)\n"))
  }

  @Test func targetsThatChange() throws {
    let source = try series()
    try checkpoint(5).changeTensors { if $0.name.contains("q_proj") { $0.name = "" } }
    let result = try bench.analyze(source)
    let finding =
      "warning SP210 series-changed: step 10: the targets change between steps 5 and 10: 2 modules appear and 0 are gone, "
      + "such as model.layers.0.self_attn.q_proj. Are there two runs in this folder?"
    #expect(result.findings == [Reference.loggedNaN, finding])
    #expect(result.status == 0)
    #expect(result.stderr.hasPrefix("14/14 modules, "))
    #expect(try spectroscope("inspect", source).stdout.hasSuffix("\n  \(finding)\n"))
  }

  @Test func aScalingThatChanges() throws {
    let source = try series()
    try checkpoint(20).replaceInConfiguration("\"lora_alpha\": 8", with: "\"lora_alpha\": 16")
    let result = try bench.analyze(source)
    #expect(
      result.findings == [
        Reference.loggedNaN,
        "warning SP210 series-changed: step 20: the scaling of 14 modules changes between steps 10 and 20, as "
          + "model.layers.0.mlp.down_proj from 2.0 to 4.0. Are there two runs in this folder?",
      ])
    #expect(result.status == 0)
  }

  @Test func twoFoldersOfOneStep() throws {
    let source = try series()
    try bench.copy(Reference.lora + "/checkpoint-5", as: "run/checkpoint-005")
    let result = try bench.analyze(source)
    #expect(result.findings.count == 2 && result.findings.last == Reference.loggedNaN)
    #expect(result.findings.first?.contains("SP210 series-changed: step 5: ") == true)
    #expect(result.findings.first?.hasSuffix("and is left out. Are there two runs in this folder?") == true)
  }

  @Test func aLinkThatLeadsNowhere() throws {
    let source = try series()
    try FileManager.default.createSymbolicLink(
      atPath: source + "/checkpoint-30", withDestinationPath: source + "/gone")
    let result = try bench.analyze(source)
    #expect(result.findings.last?.contains("SP110 damaged-checkpoint: step 30: ") == true)
    #expect(result.status == 65)
  }

  @Test func aSeriesIsNoInitialAdapter() throws {
    let result = try bench.analyze(try series(), "--initial", Reference.lora)
    #expect(
      result.stderr
        == "Error: \(Reference.lora): expected the one adapter of step 0, found 3 checkpoints. Name the folder of "
        + "the adapter itself\n")
    #expect(result.status == 65)
  }

  @Test func moreCheckpointsThanOpenFilesAreUsual() throws {
    for step in 1...80 { try bench.copy(Reference.lora + "/checkpoint-5", as: "run/checkpoint-\(step)") }
    let program = "ulimit -Sn 40; exec '\(Program.path)' analyze run --base '\(Reference.llama)' --out out.h5"
    let result = try run("/bin/sh", ["-c", program], environment: Program.environment, folder: bench.folder.path)
    #expect(result.status == 0, "\(result.stderr)")
    #expect(result.steps.count == 80)
  }
}
