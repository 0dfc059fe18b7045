import Adapters
import OrderedCollections
import Testing
import Weights

/// What a run's configuration becomes in PEFT's words.
@Suite struct PEFTExportTests {
  /// AdaLoRA's schedule counts updates: several a rollout, one a step where there is none.
  @Test(arguments: [("grpo", 60), ("dapo", 60), ("dr-grpo", 60), ("sft", 20)])
  func totalStepCountsUpdates(objective: String, updates: Int) {
    let adapter = ExportedAdapter(
      modules: [:], rank: 4, alpha: 8, scaling: nil,
      configuration: ["objective": .string(objective), "steps": 20, "updates_per_rollout": 3])
    #expect(TrainedAdaLoRA.peftMembers(of: adapter)["total_step"] == .integer(updates))
  }
}
