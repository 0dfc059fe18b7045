/// Where each tensor of a decoder lies in one flat buffer of parameters.
///
/// The query, key and value projections of a layer follow each other, and so do gate and up, so that one matrix product serves
/// all of them. Weights are row-major, output × input, as Hugging Face stores them.
package struct DecoderLayout: Equatable, Sendable {
  /// One named tensor.
  package struct Entry: Equatable, Sendable {
    /// Hugging Face's name, such as `model.layers.0.self_attn.q_proj.weight`.
    package var name: String
    /// Two extents for a matrix, one for a norm or a bias.
    package var shape: [Int]
    package var offset: Int

    package var count: Int { shape.reduce(1, *) }
    package var range: Range<Int> { offset..<offset + count }
    /// The dotted path of the module that the tensor belongs to.
    package var module: String { String(name[..<name.lastIndex(of: ".")!]) }
  }

  /// The offsets of one layer's parts. Biases are nil where there are none.
  package struct Layer: Equatable, Sendable {
    var attentionNorm = 0
    /// (querySize + 2·keyValueSize) × hiddenSize.
    var queryKeyValue = 0
    var queryKeyValueBias: Int?
    /// hiddenSize × querySize.
    var output = 0
    var outputBias: Int?
    var feedForwardNorm = 0
    /// 2·intermediateSize × hiddenSize: gate, then up.
    var gateUp = 0
    /// hiddenSize × intermediateSize.
    var down = 0
  }

  package let configuration: DecoderConfiguration
  /// In the order of the buffer.
  package private(set) var entries: [Entry] = []
  package private(set) var layers: [Layer] = []
  /// vocabularySize × hiddenSize.
  package private(set) var embedding = 0
  package private(set) var finalNorm = 0
  /// vocabularySize × hiddenSize; the embedding's offset where the two are tied.
  package private(set) var head = 0
  /// The length of the buffer.
  package private(set) var count = 0

  /// The smaller side of the largest matrix among the layers' own.
  package var largestOrder: Int {
    entries.filter { $0.shape.count == 2 && $0.name.hasPrefix("model.layers.") }.map { $0.shape.min()! }.max() ?? 0
  }

  package init(_ configuration: DecoderConfiguration) {
    self.configuration = configuration
    let c = configuration
    embedding = add("model.embed_tokens.weight", [c.vocabularySize, c.hiddenSize])
    layers = (0..<c.layerCount).map { addLayer("model.layers.\($0).") }
    finalNorm = add("model.norm.weight", [c.hiddenSize])
    head = c.tiesEmbeddings ? embedding : add("lm_head.weight", [c.vocabularySize, c.hiddenSize])
  }

  private mutating func addLayer(_ prefix: String) -> Layer {
    let c = configuration
    let attention = prefix + "self_attn."
    var layer = Layer()
    layer.attentionNorm = add(prefix + "input_layernorm.weight", [c.hiddenSize])
    layer.queryKeyValue = add(attention + "q_proj.weight", [c.querySize, c.hiddenSize])
    add(attention + "k_proj.weight", [c.keyValueSize, c.hiddenSize])
    add(attention + "v_proj.weight", [c.keyValueSize, c.hiddenSize])
    if c.hasAttentionBias {
      layer.queryKeyValueBias = add(attention + "q_proj.bias", [c.querySize])
      add(attention + "k_proj.bias", [c.keyValueSize])
      add(attention + "v_proj.bias", [c.keyValueSize])
    }
    layer.output = add(attention + "o_proj.weight", [c.hiddenSize, c.querySize])
    if c.hasOutputBias { layer.outputBias = add(attention + "o_proj.bias", [c.hiddenSize]) }
    layer.feedForwardNorm = add(prefix + "post_attention_layernorm.weight", [c.hiddenSize])
    layer.gateUp = add(prefix + "mlp.gate_proj.weight", [c.intermediateSize, c.hiddenSize])
    add(prefix + "mlp.up_proj.weight", [c.intermediateSize, c.hiddenSize])
    layer.down = add(prefix + "mlp.down_proj.weight", [c.hiddenSize, c.intermediateSize])
    return layer
  }

  @discardableResult
  private mutating func add(_ name: String, _ shape: [Int]) -> Int {
    let entry = Entry(name: name, shape: shape, offset: count)
    entries.append(entry)
    count += entry.count
    return entry.offset
  }

  /// A matrix that the rows of a forward pass are multiplied with.
  struct Product: Equatable, Sendable {
    let offset: Int
    let rows: Int
    let columns: Int
  }

  /// The matrices of a forward pass, the output head included; those that share their input are one where they are fused.
  func products(fused: Bool) -> [Product] {
    let c = configuration
    let linear =
      fused
      ? layers.flatMap { layer in
        [
          Product(offset: layer.queryKeyValue, rows: c.querySize + 2 * c.keyValueSize, columns: c.hiddenSize),
          Product(offset: layer.output, rows: c.hiddenSize, columns: c.querySize),
          Product(offset: layer.gateUp, rows: 2 * c.intermediateSize, columns: c.hiddenSize),
          Product(offset: layer.down, rows: c.hiddenSize, columns: c.intermediateSize),
        ]
      } : linearEntries.map { Product(offset: $0.offset, rows: $0.shape[0], columns: $0.shape[1]) }
    return linear + [Product(offset: head, rows: c.vocabularySize, columns: c.hiddenSize)]
  }

  /// The linear layers that adapters may target, in the order of the buffer: q, k, v, o, gate, up, down of every layer.
  package var linearEntries: [Entry] { entries.filter { $0.name.hasSuffix("_proj.weight") } }
}
