import Adapters
import Foundation
import LinearAlgebra
import Training
import Weights

/// The work of the training benchmarks on our side; each call of `run` is one repetition.
///
/// Size s has hidden size 128, 4 layers and an intermediate size of 384, size m 256, 6 and 768; both have 4 heads, 2 of keys and values,
/// and a vocabulary of 64.
enum TrainingWork: String, CaseIterable {
  /// A whole run of the laboratory: LoRA, 60 steps of GRPO on the embedded base, evaluated at both ends, nothing else measured.
  case laboratory
  /// One LoRA step at size s: 64 sequences of 64 tokens, forward, backward and AdamW.
  case step
  case stepCompiled = "step-compiled"
  case stepHand = "step-hand"
  case stepHandCompiled = "step-hand-compiled"
  /// The same with LoRA on the upper two of the four layers.
  case stepUpper = "step-upper"
  /// 64 prompts of 16 tokens, 32 new ones each.
  case sampling
  case samplingM = "sampling-m"
  /// One step of GRPO with LoRA: 16 prompts of 32 tokens, 8 completions of 32 each, sampled, judged and learned from.
  case grpo
  case grpoM = "grpo-m"
  case grpoHand = "grpo-hand"
  case grpoHandM = "grpo-hand-m"
  /// The same where one completion in sixteen is right, so that most groups have nothing to compare.
  case grpoRare = "grpo-rare"

  /// What the peer is.
  var peer: String {
    switch self {
    case .laboratory: "the same experiment in plain PyTorch"
    case .step: "Hugging Face PEFT, eager"
    case .stepCompiled: "Hugging Face PEFT under torch.compile"
    case .stepHand: "a loop by hand in PyTorch, fused AdamW"
    case .stepHandCompiled: "a loop by hand in PyTorch, fused AdamW, under torch.compile"
    case .stepUpper: "Hugging Face PEFT, eager, with layers_to_transform"
    case .sampling, .samplingM: "transformers' generate, merged weights"
    case .grpo, .grpoM, .grpoRare: "TRL's GRPOTrainer with PEFT"
    case .grpoHand, .grpoHandM: "a loop by hand in PyTorch, which samples from merged and fused weights"
    }
  }

  /// True where the peer needs the folder of train.py, as `--scripts`.
  var needsScripts: Bool {
    switch self {
    case .stepCompiled, .stepHand, .stepHandCompiled, .grpoHand, .grpoHandM: true
    default: false
    }
  }

  /// How many times as fast as its peer it is to be at least, one thread on either side.
  var target: Target? {
    switch self {
    case .step: .timesAsFast(1.3)
    case .stepCompiled, .stepHandCompiled: .timesAsFast(1.1)
    case .sampling: .timesAsFast(2.5)
    case .samplingM: .timesAsFast(1.6)
    case .grpo: .timesAsFast(2.8)
    case .grpoHand: .timesAsFast(2.2)
    case .grpoM: .timesAsFast(2)
    case .grpoHandM: .timesAsFast(1.8)
    case .laboratory, .stepHand, .stepUpper, .grpoRare: nil
    }
  }

  /// What both sides of a figure have in common; with one thread seconds of the processor, which others' work does not lengthen.
  func conditions(threads: Int) -> Figure.Conditions {
    let size = self == .laboratory ? "the embedded base" : "a decoder of size \(size)"
    return Figure.Conditions(
      clock: threads == 1 ? .processor : .wall, threads: threads, size: size, depth: "", precision: "Float32")
  }

  /// Makes what is repeated; what it returns is shown once, so that both sides can be seen to do the same.
  ///
  /// - Parameter saving: what the work is to do without; the laboratory has all.
  func prepare(threads: Int, base: String, without saving: Saving? = nil) throws -> () throws -> String {
    let setup = TrainingSetup(size: size, threads: threads, saving: saving)
    return switch self {
    case .laboratory: try Self.laboratory(threads, base)
    case .step, .stepCompiled, .stepHand, .stepHandCompiled: setup.step(targets: AdapterMethod.linearLayers)
    case .stepUpper: setup.step(targets: Self.linearLayers(of: [2, 3]))
    case .sampling, .samplingM: setup.sampling()
    case .grpo, .grpoM, .grpoHand, .grpoHandM: setup.grpo { Double($0.count { $0 == 7 }) / 32 }
    case .grpoRare: setup.grpo { $0.prefix(4).contains(7) ? 1 : 0 }
    }
  }

  /// The paths' ends of the linear layers of some decoder layers.
  private static func linearLayers(of layers: [Int]) -> [String] {
    layers.flatMap { layer in
      ["q", "k", "v", "o"].map { "layers.\(layer).self_attn.\($0)_proj" }
        + ["gate", "up", "down"].map { "layers.\(layer).mlp.\($0)_proj" }
    }
  }

  private var size: TrainingSetup.Size {
    switch self {
    case .samplingM, .grpoM, .grpoHandM: .m
    default: .s
    }
  }

  private final class Recorder: TrainingObserver {
    var records: [TrainingRecord] = []
    func didFinish(_ record: TrainingRecord) throws(FileError) { records.append(record) }
  }

  private static func laboratory(_ threads: Int, _ base: String) throws -> () throws -> String {
    let model = try PretrainedModel(path: base)
    var seed = 0
    return {
      var configuration = TrainingConfiguration()
      (configuration.learningRate, configuration.seed) = (5e-3, seed)
      configuration.checkpointEvery = configuration.steps
      configuration.telemetry = .off
      seed += 1
      let recorder = Recorder()
      _ = try Trainer(configuration, base: model, threads: threads, observer: recorder).run()
      let rewards = recorder.records.suffix(10).compactMap { $0["reward"] }
      return String(
        format: "reward %.2f, accuracy %.2f", rewards.reduce(0, +) / Double(rewards.count),
        recorder.records.last?["accuracy"] ?? .nan)
    }
  }
}
