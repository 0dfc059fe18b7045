import Adapters
import Foundation
import LinearAlgebra
import Measurement
import Spectra
import Training
import Weights

/// Small works that take the same number of instructions, allocations and bytes wherever the same kernels run.
enum CountedWork: String, CaseIterable {
  /// The analysis of two checkpoints of four modules at each depth, over a basis that is there.
  case update, geometry, full
  /// The bases of four weights of 256 × 128.
  case basis
  /// An adapter folder with its configuration, tensors as factors in Float64.
  case adapter
  /// Forward, backward and AdamW with LoRA on a small decoder.
  case step
  /// Completions drawn from it.
  case sampling
  /// Completions drawn, judged and learned from.
  case grpo

  /// Makes the data; what it returns is one repetition.
  func prepare(in folder: String) throws -> () throws -> Void {
    let model = SyntheticModel()
    let (base, series) = (folder + "/base", folder + "/series")
    switch self {
    case .update, .geometry, .full:
      try model.writeBase(to: base)
      try model.writeSeries(to: series)
      return try ScaledWork.analysis(folder, depth: MeasurementDepth(rawValue: rawValue)!)
    case .basis: return try ScaledWork.basis.prepare(model, in: folder)
    case .adapter:
      try model.writeSeries(to: series)
      return {
        let adapter = try AdapterFolder(path: series + "/checkpoint-1")
        for module in adapter.modules { _ = try adapter.factors(of: module) }
      }
    case .step: return CountedTraining().step
    case .sampling:
      let model = CountedTraining.model()
      return { _ = CountedTraining.draw(from: model) }
    case .grpo: return CountedTraining().grpo
    }
  }
}

/// Training steps on a decoder of hidden size 32 with two layers.
final class CountedTraining {
  private let model = CountedTraining.model()
  private var optimizer: AdamW<Float>

  init() { optimizer = AdamW<Float>(count: model.adapters.parameters.count, options: AdamWOptions()) }

  static func model() -> AdaptedModel<Float> {
    let layout = DecoderLayout(
      DecoderConfiguration(
        vocabularySize: 32, hiddenSize: 32, intermediateSize: 64, layerCount: 2, headCount: 4, keyValueHeadCount: 2))
    var generator = SeededGenerator(seed: 0)
    let base = layout.entries.flatMap { entry in
      (0..<entry.count).map { _ in entry.name.hasSuffix("norm.weight") ? 1 : Float(0.02 * generator.normal()) }
    }
    // LoRA's start needs no decomposition that could fail.
    let adapters = try! AdapterSet<Float>(
      method: .lora, options: AdapterOptions(rank: 4, alpha: 8), targets: AdapterMethod.linearLayers, layout: layout,
      base: base, seed: 0)
    return AdaptedModel(layout: layout, base: base, adapters: adapters, threads: 1)
  }

  private static let prompts: [[Int32]] = (0..<4).map { (prompt: Int32) in
    (0..<8).map { (place: Int32) in (7 * prompt + 3 * place) % 30 + 2 }
  }

  /// Four completions of eight tokens for each of four prompts.
  static func draw(from model: AdaptedModel<Float>) -> [[[Int32]]] {
    let requests = prompts.enumerated().map { number, prompt in
      SamplingRequest(prompt: prompt, generators: (0..<4).map { SeededGenerator(seed: UInt64(4 * number + $0)) })
    }
    return model.sample(requests, SamplingOptions(maximumLength: 8, endToken: nil)).map { $0.map(\.tokens) }
  }

  func step() {
    let groups = Self.prompts.map { TokenGroup(prompt: [$0[0]], completions: [Array($0.dropFirst())]) }
    learn(CompletionBatch(groups)) { _ in -1 }
  }

  func grpo() {
    let drawn = Self.draw(from: model)
    let advantages = drawn.flatMap { group in
      let rewards = group.map { completion in Double(completion.count { $0 % 2 == 0 }) }
      return groupAdvantages(of: rewards) ?? rewards.map { _ in 0 }
    }
    let groups = zip(Self.prompts, drawn).map { TokenGroup(prompt: $0, completions: $1) }
    learn(CompletionBatch(groups)) { token in Float(-advantages[token / 8]) }
  }

  private func learn(_ batch: CompletionBatch, slope: (Int) -> Float) {
    let scale = 1 / Float(batch.tokenCount)
    let slopes = (0..<batch.tokenCount).map { slope($0) * scale }
    var (gradient, _) = model.gradient(batch, slope: { number, _ in slopes[number] })
    _ = clipNorm(of: &gradient, to: 1)
    optimizer.step(&model.adapters.parameters, gradient: gradient, learningRate: 1e-3)
    model.refresh()
  }
}
