import Adapters
import Foundation
import LinearAlgebra
import Training

/// Steps, sampling and GRPO on a model with random weights, with all savings or without one.
struct TrainingSetup {
  enum Size {
    case s, m

    var configuration: DecoderConfiguration {
      switch self {
      case .s: Self.configuration(hidden: 128, intermediate: 384, layers: 4)
      case .m: Self.configuration(hidden: 256, intermediate: 768, layers: 6)
      }
    }

    private static func configuration(hidden: Int, intermediate: Int, layers: Int) -> DecoderConfiguration {
      DecoderConfiguration(
        vocabularySize: 64, hiddenSize: hidden, intermediateSize: intermediate, layerCount: layers, headCount: 4,
        keyValueHeadCount: 2)
    }
  }

  let size: Size
  let threads: Int
  let saving: Saving?

  /// LoRA of rank 16 over weights drawn at random.
  private func model(targets: [String] = AdapterMethod.linearLayers) -> AdaptedModel<Float> {
    let layout = DecoderLayout(size.configuration)
    var generator = SeededGenerator(seed: 0)
    let base = layout.entries.flatMap { entry in
      (0..<entry.count).map { _ in entry.name.hasSuffix("norm.weight") ? 1 : Float(0.02 * generator.normal()) }
    }
    // LoRA's start needs no decomposition that could fail.
    let adapters = try! AdapterSet<Float>(
      method: .lora, options: AdapterOptions(rank: 16, alpha: 32), targets: targets, layout: layout, base: base,
      seed: 0)
    return AdaptedModel(
      layout: layout, base: base, adapters: adapters, threads: threads, savings: DecoderSavings(without: saving))
  }

  /// One step of AdamW on 64 sequences of 64 tokens.
  func step(targets: [String]) -> () -> String {
    let model = model(targets: targets)
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

  /// 64 prompts of 16 tokens, 32 new ones each.
  func sampling() -> () -> String {
    let model = model()
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

  /// One step of GRPO: 16 prompts of 32 tokens, 8 completions of 32 each, sampled, judged and learned from.
  func grpo(reward: @escaping ([Int32]) -> Double) -> () -> String {
    let model = model()
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
      let groups = zip(requests, draw(requests, from: model)).map { request, completions in
        Group(prompt: request.prompt, completions: completions, rewards: completions.map(reward))
      }
      learn(from: groups, model, &optimizer)
      return "\(groups.reduce(0) { $0 + $1.learned(without: saving).count }) of 128 completions learned from"
    }
  }

  private func draw(_ requests: [SamplingRequest], from model: AdaptedModel<Float>) -> [[[Int32]]] {
    let options = SamplingOptions(maximumLength: 32, endToken: nil)
    guard saving == .sharedPrompts else { return model.sample(requests, options).map { $0.map(\.tokens) } }
    let single = requests.flatMap { request in
      request.generators.map { SamplingRequest(prompt: request.prompt, generators: [$0]) }
    }
    let drawn = model.sample(single, options).map { $0[0].tokens }
    return stride(from: 0, to: drawn.count, by: 8).map { Array(drawn[$0..<$0 + 8]) }
  }

  /// The completions of one prompt.
  private struct Group {
    let prompt: [Int32]
    let completions: [[Int32]]
    let rewards: [Double]

    /// The completions that are computed again, with their advantages.
    func learned(without saving: Saving?) -> [(tokens: [Int32], advantage: Double)] {
      let advantages = groupAdvantages(of: rewards) ?? rewards.map { _ in 0 }
      return zip(completions, advantages).filter { saving == .zeroAdvantages || $1 != 0 }.map { ($0, $1) }
    }
  }

  private func learn(from groups: [Group], _ model: AdaptedModel<Float>, _ optimizer: inout AdamW<Float>) {
    let learned = groups.map { (prompt: $0.prompt, completions: $0.learned(without: saving)) }
    let tokenCount = Float(groups.reduce(0) { $0 + $1.completions.joined().count })
    let slopes = learned.flatMap(\.completions).flatMap { completion in
      completion.tokens.map { _ in Float(-completion.advantage) / tokenCount }
    }
    let batch = CompletionBatch(
      learned.flatMap { prompt, completions in
        let tokens = completions.map(\.tokens)
        return saving == .sharedPrompts
          ? tokens.map { TokenGroup(prompt: prompt, completions: [$0]) }
          : tokens.isEmpty ? [] : [TokenGroup(prompt: prompt, completions: tokens)]
      })
    guard batch.tokenCount > 0 else { return }
    var (gradient, _) = model.gradient(batch, slope: { number, _ in slopes[number] })
    _ = clipNorm(of: &gradient, to: 1)
    optimizer.step(&model.adapters.parameters, gradient: gradient, learningRate: 1e-4)
    model.refresh()
  }
}
