/// The shape of a decoder-only transformer of the Qwen2 or Llama family: RMSNorm before each block, rotary positions,
/// grouped-query attention, SwiGLU.
package struct DecoderConfiguration: Equatable, Sendable {
  /// Which of Hugging Face's architectures a folder names; they differ in their biases and defaults alone.
  package enum Family: String, CaseIterable, Sendable {
    case qwen2, llama
  }

  package var family: Family
  package var vocabularySize: Int
  package var hiddenSize: Int
  package var intermediateSize: Int
  package var layerCount: Int
  package var headCount: Int
  /// Divides `headCount`; each key-value head serves headCount / keyValueHeadCount query heads.
  package var keyValueHeadCount: Int
  /// Even.
  package var headSize: Int
  /// ε of RMSNorm.
  package var normEpsilon: Double
  /// The base of the rotary frequencies.
  package var ropeTheta: Double
  /// True where q, k and v have a bias (always in Qwen2; Llama's `attention_bias`, which adds one to o as well).
  package var hasAttentionBias: Bool
  /// True where o has a bias.
  package var hasOutputBias: Bool
  /// True where the output head is the embedding.
  package var tiesEmbeddings: Bool
  /// The longest sequence the model is made for.
  package var maximumLength: Int

  package init(
    family: Family = .qwen2, vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, layerCount: Int,
    headCount: Int, keyValueHeadCount: Int, headSize: Int? = nil, normEpsilon: Double = 1e-6,
    ropeTheta: Double = 10_000, hasAttentionBias: Bool = true, hasOutputBias: Bool = false,
    tiesEmbeddings: Bool = true, maximumLength: Int = 256
  ) {
    self.family = family
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.headSize = headSize ?? hiddenSize / headCount
    self.normEpsilon = normEpsilon
    self.ropeTheta = ropeTheta
    self.hasAttentionBias = hasAttentionBias
    self.hasOutputBias = hasOutputBias
    self.tiesEmbeddings = tiesEmbeddings
    self.maximumLength = maximumLength
  }

  /// The width of all query heads together.
  package var querySize: Int { headCount * headSize }
  /// The width of all key heads together, and of all value heads.
  package var keyValueSize: Int { keyValueHeadCount * headSize }
}
