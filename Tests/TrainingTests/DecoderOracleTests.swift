import LinearAlgebra
import TestSupport
import Testing
import Training
import Weights

/// The decoder against transformers' models: logits, loss, and the gradient of every tensor.
@Suite struct DecoderOracleTests {
  @Test(arguments: Oracle.models)
  func logitsAreThoseOfTransformers(name: String) throws {
    let model = try Oracle.model(name)
    let expected = try Oracle.values(ofModel: name)
    for (index, sequence) in try Oracle.sequences(name).enumerated() {
      let reference = try expected.doubles("logits.\(index)")
      #expect(relativeDistance(logits(model, sequence, as: Double.self), reference) < 1e-12)
      // Some hundred roundings of Float32 on the way of each logit.
      #expect(relativeDistance(logits(model, sequence, as: Float.self), reference) < 1e-5)
    }
  }

  @Test(arguments: Oracle.models)
  func gradientsAreThoseOfTransformers(name: String) throws {
    try checkGradients(name, as: Double.self, tolerance: 1e-11)
    try checkGradients(name, as: Float.self, tolerance: 1e-4)
  }

  /// The embedded base is a folder that this program wrote: transformers loads it, and finds the same tokens and logits.
  @Test func theEmbeddedBaseLoadsInTransformers() throws {
    let folder = try TemporaryFolder()
    try EmbeddedBase.write(to: folder.path)
    let model = try PretrainedModel(path: folder.path)
    let expected = try TensorFile(path: Oracle.folder + "/embedded.safetensors")
    let manifest = try JSONValue(contentsOf: Oracle.folder + "/manifest.json")
    let prompts = try #require(manifest["embedded"]?["prompts"]?.array).compactMap(\.string)
    try #require(prompts.count == 5)
    for (index, prompt) in prompts.enumerated() {
      let tokens = try #require(model.tokenizer).encode(prompt)
      #expect(try tokens == expected.integers("tokens.\(index)"))
      let reference = try expected.doubles("logits.\(index)")
      // Both compute in Float32, each with some hundred roundings a logit.
      #expect(relativeDistance(logits(model, tokens, as: Float.self), reference) < 1e-5)
    }
  }

  private func logits<S: TransformerScalar>(_ model: PretrainedModel, _ tokens: [Int32], as: S.Type) -> [S] {
    let decoder = Decoder<S>(model.layout)
    var batch = PackedBatch()
    batch.add(tokens, outputs: 0..<tokens.count)
    decoder.forward(model.parameters.map { S($0) }, batch)
    return Array(UnsafeBufferPointer(start: decoder.logits, count: tokens.count * decoder.vocabularySize))
  }

  private func checkGradients<S: TransformerScalar>(_ name: String, as: S.Type, tolerance: Double) throws {
    let model = try Oracle.model(name)
    let expected = try Oracle.values(ofModel: name)
    let batch = try Oracle.batch(name)
    let decoder = ParallelDecoder<S>(model.layout, plan: .everything(model.layout), factorCount: 0, threads: 2)
    let slope = -1 / S(batch.tokenCount)
    let (sum, logProbabilities) = decoder.gradient(
      Buffer(model.parameters.map { S($0) }), factors: [], batch, temperature: 1, slope: { _, _ in slope })
    let loss = -logProbabilities.reduce(0) { $0 + Double($1) } / Double(batch.tokenCount)
    #expect(abs(loss - (try expected.doubles("loss")[0])) < tolerance)
    let gradient = sum.dense.array(model.layout.count)
    for entry in model.layout.entries {
      let distance = relativeDistance(gradient[entry.range], try expected.doubles("gradient." + entry.name))
      #expect(distance < tolerance, "\(entry.name)")
    }
  }
}
