import Foundation
import TestSupport
import Testing
import Weights

/// Adapters that can be analysed, with something to say about them: findings, and exit code 0 or 65.
@Suite struct OddAdapterTests {
  let bench = try! Bench()
  private let downProjection = Adapter.downProjection

  /// Analyses a changed copy of checkpoint 5 and holds the coverage, the findings and the exit code against what is expected.
  private func expectFindings(
    _ findings: [String], coverage: String = "14/14", status: Int32 = 0, error: String? = nil,
    _ change: (Adapter) throws -> Void
  ) throws {
    let adapter = try bench.adapter()
    try change(adapter)
    let result = try bench.analyze(adapter.path)
    #expect(result.findings == findings.map(bench.filled))
    let notes = ["\(coverage) modules, 1 checkpoint of lora, one adapter folder", "wrote {}/out.h5", error]
    #expect(result.stderr == bench.filled(notes.compactMap { $0 }.joined(separator: "\n") + "\n"))
    #expect(result.status == status)
    #expect(bench.exists(bench.output) && !bench.exists(bench.journal))
  }

  @Test func bIsZero() throws {
    try expectFindings([
      "warning SP101 update-is-zero: step 5: the update of 1 of 14 modules is exactly zero at step 5: a factor is "
        + "still zero"
    ]) { adapter in
      try adapter.change(Adapter.tensor(downProjection, "B")) { $0.bytes = $0.bytes.map { _ in 0 } }
    }
    let row = try #require(try bench.exportedRows().first { $0["module"] == downProjection && $0["delta"] == "init" })
    #expect(row["frobenius_norm"] == "0.0" && row["relative_norm"] == "0.0" && row["stable_rank"] == "")
    let inspected = try spectroscope("inspect", bench.path("adapter"))
    #expect(
      inspected.stdout.hasSuffix(
        "\n  warning SP101 update-is-zero: step 5: B or A of 1 of 14 modules is exactly zero: nothing was trained there\n"
      ))
    #expect(inspected.status == 0)
  }

  @Test func alphaIsZero() throws {
    let adapterFindings = [
      "alert SP105 alpha-is-zero: step 5: lora_alpha is 0 for 14 of 14 modules, so their update is zero whatever was "
        + "trained. Some checkpoint mergers write it when they lack the training's metadata; restore the α of the training",
      "alert SP505 merge-wrote-alpha-zero: step 5: 14 modules hold trained factors, and α = 0 makes their update zero",
    ]
    try expectFindings(adapterFindings) {
      try $0.replaceInConfiguration("\"lora_alpha\": 8", with: "\"lora_alpha\": 0")
    }
  }

  @Test func alphaIsMissing() throws {
    try expectFindings([
      "warning SP108 alpha-is-missing: step 5: lora_alpha is missing from the configuration; PEFT's default, 8, is taken. "
        + "Every norm scales with it"
    ]) { try $0.replaceInConfiguration("\"lora_alpha\": 8,", with: "") }
  }

  @Test func rankOffTheConfiguration() throws {
    try expectFindings([
      "warning SP107 rank-off-configuration: step 5: 14 of 14 modules have another rank than the configuration says: "
        + "model.layers.0.mlp.down_proj has rank 4, the configuration gives it 8. Its scaling is taken from the "
        + "configuration; check that configuration and weights belong together"
    ]) { try $0.replaceInConfiguration("\"r\": 4", with: "\"r\": 8") }
  }

  @Test func anotherElementType() throws {
    try expectFindings(
      [
        "info SP109 not-analysed: step 5: model.layers.0.mlp.down_proj: tensors of type I64 are not read"
      ], coverage: "13/14"
    ) { adapter in
      try adapter.change(Adapter.tensor(downProjection, "A")) { tensor in
        tensor.type = ElementType(rawValue: "I64")
        tensor.bytes = [UInt8](repeating: 1, count: 8 * tensor.elementCount)
      }
    }
  }

  @Test func onlyAnotherElementType() throws {
    let adapter = try bench.adapter()
    try adapter.keepOnly(downProjection)
    try adapter.change(Adapter.tensor(downProjection, "A")) { tensor in
      tensor.type = ElementType(rawValue: "I64")
      tensor.bytes = [UInt8](repeating: 1, count: 8 * tensor.elementCount)
    }
    let result = try bench.analyze(adapter.path)
    #expect(
      result.stderr.hasPrefix(
        "Error: \(adapter.weights): expected LoRA tensors (….lora_A.weight and ….lora_B.weight), "
          + "found none that can be analysed"))
    #expect(result.status == 65)
  }

  @Test func aFactorWithoutItsPartner() throws {
    try expectFindings(
      [
        "info SP109 not-analysed: step 5: model.layers.0.mlp.down_proj: expected both lora_A and lora_B, "
          + "found one of them"
      ], coverage: "13/14"
    ) { adapter in
      try adapter.change(Adapter.tensor(downProjection, "B")) { $0.name = "" }
    }
  }

  @Test func namesThatMatchPartly() throws {
    try expectFindings(
      [
        "warning SP106 matches-no-module: 1 of 14 adapter modules matches no weight of the base \(Reference.llama), such as "
          + "model.layers.9.mlp.down_proj. Is this the base that the adapter was trained on?"
      ], coverage: "13/14", status: 65,
      error: "Error: left out: 1 module without a weight in the base (see the findings); the rest is in {}/out.h5"
    ) { adapter in
      try adapter.changeTensors { tensor in
        tensor.name.replace("layers.0.mlp.down_proj", with: "layers.9.mlp.down_proj")
      }
    }
  }

  @Test func nonFiniteValues() throws {
    let tensor = Adapter.tensor(downProjection, "A")
    let problem =
      "{}/adapter/adapter_model.safetensors: tensor \"\(tensor)\": expected finite values, "
      + "found 1 of 640 that is not (first at index 0). Use a version of it from before the numbers broke down"
    try expectFindings(
      [
        "alert SP104 non-finite-values: step 5: \(problem)",
        "alert SP413 hidden-non-finite: step 5: the weights at step 5 are not finite, and the log shows a loss of 5.86 at step 5 "
          + "and nothing unusual",
      ], status: 65,
      error: "Error: left out: 1 damaged checkpoint or tensor (see the findings); the rest is in {}/out.h5"
    ) { adapter in
      try adapter.change(tensor) { $0.bytes.replaceSubrange(0..<4, with: [0, 0, 0xC0, 0x7F]) }
    }
    #expect(try Set(bench.exportedRows().map { $0["module"] }).count == 13)
    let inspected = try spectroscope("inspect", bench.path("adapter"))
    #expect(inspected.stdout.hasSuffix("\n  alert SP104 non-finite-values: step 5: \(bench.filled(problem))\n"))
    #expect(inspected.status == 65)
  }
}
