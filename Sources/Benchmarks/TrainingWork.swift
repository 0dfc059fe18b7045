import Adapters
import Foundation
import LinearAlgebra
import Training
import Weights

/// The work of the training benchmarks on our side; each call of `run` is one repetition.
enum TrainingWork: String, CaseIterable {
  /// A whole run of the laboratory: LoRA, 60 steps of GRPO on the embedded base, evaluated at both ends, nothing else measured.
  case laboratory
  /// One LoRA step at size s: 64 sequences of 64 tokens, forward, backward and AdamW.
  case step
  /// 64 prompts of 16 tokens, 32 new ones each, at size s.
  case sampling
  /// One step of GRPO with LoRA at size s: 16 prompts of 32 tokens, 8 completions of 32 each, sampled, judged and learned from.
  case grpo

  /// What the peer is, and how much faster this program means to be.
  var peer: String {
    switch self {
    case .laboratory: "the same experiment in plain PyTorch"
    case .step: "Hugging Face PEFT, eager"
    case .sampling: "transformers' generate, merged weights"
    case .grpo: "TRL's GRPOTrainer with PEFT"
    }
  }

  /// True where the peer needs the folder of scripts.
  var needsScripts: Bool { false }

  /// Makes what is repeated; what it returns is shown once, so that both sides can be seen to do the same.
  func prepare(threads: Int, base: String) throws -> () throws -> String {
    switch self {
    case .laboratory: try Self.laboratory(threads, base)
    case .step: Self.step(threads)
    case .sampling: Self.sampling(threads)
    case .grpo: Self.grpo(threads)
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

  /// A model of size s with random weights.
  private static func sizeS(method: AdapterMethod, rank: Int, targets: [String], threads: Int) -> AdaptedModel<Float> {
    let layout = DecoderLayout(
      DecoderConfiguration(
        vocabularySize: 64, hiddenSize: 128, intermediateSize: 384, layerCount: 4, headCount: 4, keyValueHeadCount: 2))
    var generator = SeededGenerator(seed: 0)
    let base = layout.entries.flatMap { entry in
      (0..<entry.count).map { _ in entry.name.hasSuffix("norm.weight") ? 1 : Float(0.02 * generator.normal()) }
    }
    // Random weights have decompositions.
    let adapters = try! AdapterSet<Float>(
      method: method, options: AdapterOptions(rank: rank, alpha: Double(2 * rank)), targets: targets, layout: layout,
      base: base, seed: 0)
    return AdaptedModel(layout: layout, base: base, adapters: adapters, threads: threads)
  }

  private static func step(_ threads: Int) -> () throws -> String {
    let model = sizeS(method: .lora, rank: 16, targets: AdapterMethod.linearLayers, threads: threads)
    var generator = SeededGenerator(seed: 1)
    let sequences = (0..<64).map { _ in (0..<64).map { _ in Int32(generator.integer(in: 2..<64)) } }
    let batch = CompletionBatch(sequences.map { TokenGroup(prompt: [$0[0]], completions: [Array($0.dropFirst())]) })
    var optimizer = AdamW<Float>(count: model.adapters.parameters.count, options: AdamWOptions())
    let slope = -1 / Float(batch.tokenCount)
    return {
      let (gradient, logProbabilities) = model.gradient(batch, slope: { _, _ in slope })
      optimizer.step(&model.adapters.parameters, gradient: gradient, learningRate: 1e-4)
      model.refresh()
      return String(format: "loss %.3f", -logProbabilities.reduce(0, +) / Float(batch.tokenCount))
    }
  }

  private static func grpo(_ threads: Int) -> () throws -> String {
    let model = sizeS(method: .lora, rank: 16, targets: AdapterMethod.linearLayers, threads: threads)
    var optimizer = AdamW<Float>(count: model.adapters.parameters.count, options: AdamWOptions())
    var step = 0
    return {
      step += 1
      var generator = SeededGenerator(stream: .problems, step)
      let requests = (0..<16).map { prompt in
        SamplingRequest(
          prompt: (0..<32).map { _ in Int32(generator.integer(in: 2..<64)) },
          generators: (0..<8).map { SeededGenerator(stream: .samples, step, prompt, $0) })
      }
      let drawn = model.sample(requests, SamplingOptions(maximumLength: 32, endToken: nil))
      let batch = CompletionBatch(
        zip(requests, drawn).map { TokenGroup(prompt: $0.prompt, completions: $1.map(\.tokens)) })
      // The reward is how often a token occurs.
      let rewards = drawn.map { group in group.map { Double($0.tokens.count { $0 == 7 }) / 32 } }
      let advantages = rewards.flatMap { groupAdvantages(of: $0) ?? $0.map { _ in 0 } }
      let slopes = advantages.flatMap { Array(repeating: Float(-$0) / Float(batch.tokenCount), count: 32) }
      var (gradient, _) = model.gradient(batch, slope: { number, _ in slopes[number] })
      _ = clipNorm(of: &gradient, to: 1)
      optimizer.step(&model.adapters.parameters, gradient: gradient, learningRate: 1e-4)
      model.refresh()
      return "\(batch.tokenCount) tokens"
    }
  }

  private static func sampling(_ threads: Int) -> () throws -> String {
    let model = sizeS(method: .lora, rank: 16, targets: [], threads: threads)
    var generator = SeededGenerator(seed: 2)
    var seed = UInt64(0)
    let prompts = (0..<64).map { _ in (0..<16).map { _ in Int32(generator.integer(in: 2..<64)) } }
    return {
      let requests = prompts.map { prompt in
        seed += 1
        return SamplingRequest(prompt: prompt, generators: [SeededGenerator(seed: seed)])
      }
      let drawn = model.sample(requests, SamplingOptions(maximumLength: 32, endToken: nil))
      return "\(drawn[0][0].tokens.count + 16) tokens"
    }
  }
}
