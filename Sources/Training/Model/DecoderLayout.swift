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

  /// One layer's parts; of vectors their offsets. Biases are nil where there are none.
  package struct Layer: Equatable, Sendable {
    let attentionNorm: Int
    /// (querySize + 2·keyValueSize) × hiddenSize.
    let queryKeyValue: LinearGroup
    let queryKeyValueBias: Int?
    /// hiddenSize × querySize.
    let output: LinearGroup
    let outputBias: Int?
    let feedForwardNorm: Int
    /// 2·intermediateSize × hiddenSize: gate, then up.
    let gateUp: LinearGroup
    /// hiddenSize × intermediateSize.
    let down: LinearGroup

    /// In the order of the buffer.
    var groups: [LinearGroup] { [queryKeyValue, output, gateUp, down] }
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
    layers = (0..<c.layerCount).map { addLayer($0) }
    finalNorm = add("model.norm.weight", [c.hiddenSize])
    head = c.tiesEmbeddings ? embedding : add("lm_head.weight", [c.vocabularySize, c.hiddenSize])
  }

  private mutating func addLayer(_ index: Int) -> Layer {
    let c = configuration
    let prefix = "model.layers.\(index)."
    let (attention, hidden, inner) = (prefix + "self_attn.", c.hiddenSize, c.intermediateSize)
    let sizes = [c.querySize, c.keyValueSize, c.keyValueSize]
    let attentionNorm = add(prefix + "input_layernorm.weight", [hidden])
    let queryKeyValue = addGroup(attention, ["q_proj", "k_proj", "v_proj"], sizes, hidden, first: 7 * index)
    let bias = c.hasAttentionBias ? zip("qkv", sizes).map { add(attention + "\($0)_proj.bias", [$1]) }.first : nil
    let output = addGroup(attention, ["o_proj"], [hidden], c.querySize, first: 7 * index + 3)
    let outputBias = c.hasOutputBias ? add(attention + "o_proj.bias", [hidden]) : nil
    let feedForwardNorm = add(prefix + "post_attention_layernorm.weight", [hidden])
    let mlp = prefix + "mlp."
    return Layer(
      attentionNorm: attentionNorm, queryKeyValue: queryKeyValue, queryKeyValueBias: bias, output: output,
      outputBias: outputBias, feedForwardNorm: feedForwardNorm,
      gateUp: addGroup(mlp, ["gate_proj", "up_proj"], [inner, inner], hidden, first: 7 * index + 4),
      down: addGroup(mlp, ["down_proj"], [hidden], inner, first: 7 * index + 6))
  }

  /// Weights that share their input, one behind the other.
  private mutating func addGroup(
    _ prefix: String, _ names: [String], _ rows: [Int], _ columns: Int, first: Int
  ) -> LinearGroup {
    let offsets = zip(names, rows).map { add(prefix + $0 + ".weight", [$1, columns]) }
    return LinearGroup(at: offsets[0], first: first, rows: rows, columns: columns)
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

  /// The matrices of a forward pass, the output head included; those of a group are one where they are fused.
  func products(fused: Bool) -> [Product] {
    let linear = layers.flatMap(\.groups).flatMap { group in
      group.blocks(fused: fused).map {
        Product(offset: group.offset + $0.first * group.columns, rows: $0.rows, columns: group.columns)
      }
    }
    return linear + [Product(offset: head, rows: configuration.vocabularySize, columns: configuration.hiddenSize)]
  }

  /// The linear layers that adapters may target, in the order of the buffer: q, k, v, o, gate, up, down of every layer.
  package var linearEntries: [Entry] { entries.filter { $0.name.hasSuffix("_proj.weight") } }
}
