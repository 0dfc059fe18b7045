import Adapters
import Foundation
import LinearAlgebra
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Training
import Weights

/// Runs as PEFT folders over a base of their own, and back: the model stays the same to rounding, the tensors to the bit.
@Suite struct ConversionTests {
  private let folder = try! TemporaryFolder()

  /// Every method, and those variants whose configuration differs.
  static let variants: [Variant] =
    AdapterMethod.trainable.map { Variant($0.rawValue, $0) } + [
      Variant("pissa of randomised start", .pissa) { $0.adapter.pissaIterations = 2 },
      Variant("svd of random directions", .svd) { ($0.adapter.directions, $0.adapter.magnitudes) = (.random, .unit) },
      Variant("pissa with patterns", .pissa) {
        $0.adapter.rankPattern = ["v_proj": 2, "model.layers.1.mlp.up_proj": 6]
        $0.adapter.alphaPattern = ["q_proj": 3]
      },
      Variant("lora with patterns", .lora) {
        $0.adapter.rankPattern = ["v_proj": 2]
        $0.adapter.alphaPattern = ["v_proj": 16]
      },
    ]

  struct Variant: Sendable {
    let name: String
    let method: AdapterMethod
    let change: @Sendable (inout TrainingConfiguration) -> Void

    init(
      _ name: String, _ method: AdapterMethod,
      change: @escaping @Sendable (inout TrainingConfiguration) -> Void = { _ in }
    ) {
      (self.name, self.method, self.change) = (name, method, change)
    }
  }

  private func run(_ name: String, steps: Int = 3) throws -> TrainedRun {
    let variant = try #require(Self.variants.first { $0.name == name })
    return try TrainedRun(variant.method, in: folder.path, steps: steps, change: variant.change)
  }

  private func converted(_ run: TrainedRun, isPlain: Bool, as name: String) throws -> String {
    let conversion = try PEFTConversion(of: ExtractedRun(of: run.path), isPlain: isPlain)
    let written = try conversion.write(to: folder.path(name), base: run.base)
    #expect(written == (["base"] + [0, 2, 3].map { "checkpoint-\($0)" }).map { folder.path(name + "/" + $0) })
    return folder.path(name)
  }

  // MARK: The same model

  /// W₀ of one module.
  private final class Base: PretrainedWeight {
    let model: PretrainedModel
    let match: ModuleMatcher.Match

    init(_ model: PretrainedModel, _ match: ModuleMatcher.Match) { (self.model, self.match) = (model, match) }

    func matrix() throws -> Matrix<Double> {
      guard let norm = match.norm else { return model.matrix(match.tensor, in: model.parameters) }
      let gains = model.matrix(norm.tensor, in: model.parameters).elements
      return model.matrix(match.tensor, in: model.parameters).scalingColumns(by: gains)
    }

    func weightBehindNorm() throws -> (weight: Matrix<Double>, gains: [Double], offset: Double) {
      (
        model.matrix(match.tensor, in: model.parameters),
        model.matrix(match.norm!.tensor, in: model.parameters).elements, 0
      )
    }
  }

  /// The largest relative distance between what the folders make of the weights and what training made of them.
  private func largestDistance(_ path: String, step: Int, from weights: [Float]) throws -> (Double, moduleCount: Int) {
    let base = try PretrainedModel(path: path + "/base")
    let adapter = try AdapterFolder(path: "\(path)/checkpoint-\(step)")
    // PEFT stores whole layers with their biases, which have no spectrum.
    let remarks = adapter.remarks.filter { !$0.message.contains(".bias is no part of LoRA") }
    #expect(remarks.isEmpty && adapter.skippedModules.isEmpty, "\(remarks.map(\.message))")
    #expect(adapter.configuration.initialization == .zero)
    #expect(adapter.configuration.baseModel == path + "/base")
    let shapes = Dictionary(uniqueKeysWithValues: base.layout.entries.map { ($0.name, $0.shape) })
    let matcher = ModuleMatcher(shapes: shapes, tiesEmbeddings: true, modelType: "qwen2")
    var worst = 0.0
    for found in adapter.modules {
      for match in try matcher.matches(found, isFanInFanOut: false) {
        var module = found
        if match.norm == nil { (module.rows, module.columns) = (match.rows, match.columns) }
        let reference = Base(base, match)
        let update = try #require(try adapter.weight(of: module, at: match).change(from: nil, over: reference))
        var expected = base.matrix(match.tensor, in: weights)
        if let norm = match.norm {
          expected = expected.scalingColumns(by: base.matrix(norm.tensor, in: weights).elements)
        }
        let difference = try reference.matrix() + update.content.dense - expected
        worst = max(worst, try difference.frobeniusNorm() / expected.frobeniusNorm())
      }
    }
    return (worst, adapter.modules.count)
  }

  @Test(arguments: variants.map(\.name)) func theModelIsTheSame(name: String) throws {
    let run = try run(name)
    let subtracts = run.configuration.method.subtractsStart
    let forms = [(false, "default")] + (subtracts ? [(true, "plain")] : [])
    for (isPlain, form) in forms {
      let path = try converted(run, isPlain: isPlain, as: form)
      for step in [0, 2, 3] {
        let weights = try run.weights(at: step)
        let (distance, count) = try largestDistance(path, step: step, from: weights)
        #expect(
          count == AdapterSet<Float>.entries(of: run.configuration.method, targets: nil, in: run.base.layout).count)
        #expect(distance < 1e-6, "\(form), step \(step): \(distance)")
        #expect((weights == run.base.parameters) == (step == 0 && !subtracts), "training changed nothing")
      }
      // Only a residual base differs from the original.
      let base = try PretrainedModel(path: path + "/base")
      #expect((base.parameters == run.base.parameters) == (isPlain || !subtracts))
      #expect(base.tokenizer?.count == run.base.tokenizer?.count)
    }
  }

  /// The residual base is to the bit what training held frozen.
  @Test func theResidualBaseIsTheFrozenOne() throws {
    let run = try run("pissa")
    let path = try converted(run, isPlain: false, as: "default")
    let adapters = try AdapterSet<Float>(
      method: .pissa, options: AdapterOptions(), targets: nil, layout: run.base.layout, base: run.base.parameters,
      seed: 0)
    let base = try PretrainedModel(path: path + "/base")
    for module in adapters.modules {
      #expect(Array(base.values(of: module.entry)) == module.weight.frozenWeight.elements, "\(module.path)")
    }
  }

  @Test func plainMeansTwiceTheRank() throws {
    let path = try converted(try run("pissa with patterns"), isPlain: true, as: "plain")
    let configuration = try AdapterFolder(path: path + "/checkpoint-3").configuration
    #expect(configuration.rank == 8 && configuration.alpha == 16)
    #expect(configuration.rank(of: "model.layers.0.self_attn.v_proj") == 4)
    #expect(configuration.scaling(of: "model.layers.0.self_attn.v_proj") == 4)
    #expect(configuration.scaling(of: "model.layers.1.self_attn.q_proj") == 0.75)
    #expect(configuration.rank(of: "model.layers.1.mlp.up_proj") == 12)
  }

  @Test func theAdapterOfStepZeroIsNeeded() throws {
    let run = try run("milora")
    for name in ["run.h5", "checkpoints/00000000.h5"] {
      try FileManager.default.removeItem(atPath: run.path + "/" + name)
    }
    let error = fileError { () throws(FileError) in
      try PEFTConversion(of: ExtractedRun(of: run.path), isPlain: true)
    }
    #expect(
      error?.description
        == "\(run.path): expected the adapter at step 0, a part of which is missing from the base, found none. Restore run.h5 "
        + "or checkpoints/00000000.h5 from a copy")
  }

  // MARK: And back

  @Test(arguments: variants.map(\.name)) func theTensorsComeBackToTheBit(name: String) throws {
    let run = try run(name)
    let path = try converted(run, isPlain: false, as: "peft")
    let back = folder.path("back")
    try RunImport(source: path, createdBy: "spectroscope test").write(to: back)
    let (first, second) = (try RunFolder(path: run.path), try RunFolder(path: back))
    #expect(second.steps == first.steps && second.indexError == nil)
    for step in first.steps {
      let before = try first.snapshot(at: step)
      var after = try second.snapshot(at: step)
      // The biases that PEFT wants beside whole weights are the base's.
      for module in after.modules.keys { after.modules[module]?.removeAll { $0.name == "bias" } }
      #expect(after.sha256 == before.sha256 && Set(after.modules.keys) == Set(before.modules.keys))
    }
    #expect(second.identity.base == path + "/base")
    #expect(try second.identity.baseID == BaseIdentity.sha256(of: BaseModel(path: path + "/base")))
    // And once more into PEFT's form: the same files.
    let again = try PEFTConversion(of: ExtractedRun(of: back), isPlain: false).write(
      to: folder.path("again"), base: nil)
    for copy in again {
      let original = path + "/" + URL(filePath: copy).lastPathComponent
      #expect(
        try JSONValue(contentsOf: copy + "/adapter_config.json")
          == JSONValue(contentsOf: original + "/adapter_config.json"))
      let (a, b) = (try AdapterFolder(path: copy).weights, try AdapterFolder(path: original).weights)
      #expect(Set(a.tensors.keys) == Set(b.tensors.keys))
      for tensor in a.tensors.keys { #expect(try a.read(tensor, as: Float.self) == b.read(tensor, as: Float.self)) }
    }
  }

  /// Adapters of PEFT's own, with what our methods do not have: patterns of its own, half precision, triplets cut to none.
  @Test(arguments: [
    "lora", "lora-bf16", "patterns", "embeddings", "modules-to-save", "adapter-name", "experts", "gpt2",
    "adalora-pruned",
    "miss-mini", "vera", "ia3", "dora", "pissa-f32-initial", "pissa-niter", "pissa-converted",
  ])
  func adaptersOfPEFT(name: String) throws {
    let reference = ReferenceCase.named(name)
    let run = folder.path("run")
    try RunImport(source: reference.source, base: reference.base, createdBy: "spectroscope test").write(to: run)
    let extracted = try ExtractedRun(of: run)
    #expect(extracted.remarks.isEmpty, "\(extracted.remarks.map(\.message))")
    let (before, after) = (try CheckpointSeries(path: reference.source), try CheckpointSeries(path: extracted.folder))
    #expect(after.checkpoints.map(\.step) == before.checkpoints.map(\.step))
    for (a, b) in zip(before.checkpoints, after.checkpoints) {
      let (first, second) = (try AdapterFolder(a.place), try AdapterFolder(b.place))
      #expect(Set(first.weights.tensors.keys) == Set(second.weights.tensors.keys))
      for (tensor, entry) in first.weights.tensors {
        #expect(try second.weights.entry(tensor).elementType == entry.elementType)
        #expect(try first.weights.read(tensor, as: Float.self) == second.weights.read(tensor, as: Float.self))
      }
      var configuration = first.configuration
      configuration.baseModel = reference.base
      #expect(second.configuration == configuration)
    }
  }

  @Test func anAdapterWithoutAStepIsRefused() throws {
    let source = ReferenceCase.named("lora").source
    try FileManager.default.copyItem(atPath: source + "/checkpoint-5", toPath: folder.path("adapter"))
    try? FileManager.default.removeItem(atPath: folder.path("adapter/trainer_state.json"))
    let error = fileError { () throws(FileError) in
      try RunImport(source: folder.path("adapter"), createdBy: "spectroscope test")
    }
    #expect(
      error?.description
        == "\(folder.path("adapter")): expected an adapter whose step is known, found none that says it. "
        + "Name its folder checkpoint-N")
  }
}

extension ModuleUpdate.Content {
  fileprivate var dense: Matrix<Double> {
    switch self {
    case .factored(let product): product.dense()
    case .dense(let matrix, _): matrix
    }
  }
}

extension PretrainedModel {
  /// A tensor of the layout among parameters, a vector as one row.
  fileprivate func matrix(_ name: String, in parameters: [Float]) -> Matrix<Double> {
    let entry = layout.entries.first { $0.name == name }!
    let rows = entry.shape.count == 1 ? 1 : entry.shape[0]
    return Matrix(
      Matrix<Float>(rows: rows, columns: entry.shape.last!, elements: Array(parameters[entry.range])))
  }
}
