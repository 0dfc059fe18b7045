import Foundation
import OrderedCollections
import Weights

/// A base model in memory: its sizes, its weights and its vocabulary.
package struct PretrainedModel: Sendable {
  package let layout: DecoderLayout
  /// The weights, in the order of `layout`.
  package var parameters: [Float]
  /// Nil where a folder has none.
  package var tokenizer: CharacterTokenizer?

  package var configuration: DecoderConfiguration { layout.configuration }

  /// A model of given weights, as many as the layout has; the vocabulary is at most as large as the configuration's.
  package init(_ configuration: DecoderConfiguration, parameters: [Float], tokenizer: CharacterTokenizer?) {
    layout = DecoderLayout(configuration)
    precondition(parameters.count == layout.count, "There must be \(layout.count) weights, found \(parameters.count).")
    precondition(tokenizer?.count ?? 0 <= configuration.vocabularySize, "The vocabulary is larger than the model's.")
    self.parameters = parameters
    self.tokenizer = tokenizer
  }

  /// The values of one tensor, row by row.
  package func values(of entry: DecoderLayout.Entry) -> ArraySlice<Float> { parameters[entry.range] }
}

// MARK: - Reading

extension PretrainedModel {
  /// Reads a Hugging Face folder: `config.json`, safetensors in one file or several, and the tokenizer if there is one.
  ///
  /// Weights of any type are converted to Float32. Buffers of rotary frequencies are passed over, and so is an output
  /// head that repeats the embedding to which the configuration ties it.
  ///
  /// - Throws: `FileError` where a file cannot be opened or contradicts another, a tensor is missing, unexpected, of
  ///   another shape or not finite, and where the tokenizer is not one of single characters.
  package init(path: String) throws(FileError) {
    let configuration = try DecoderConfiguration(path: path + "/" + DecoderConfiguration.fileName)
    let tokenizer = try Self.tokenizer(in: path, vocabularySize: configuration.vocabularySize)
    let base = try BaseModel(path: path)
    // Before a layout is made: its size is what an unchecked file says.
    guard configuration.layerCount <= base.tensorNames.count else {
      throw FileError(
        .badContent, path: path,
        "expected tensors of \(configuration.layerCount) layers, found only \(base.tensorNames.count) tensors",
        remedy: "Check num_hidden_layers in \(DecoderConfiguration.fileName)")
    }
    let layout = DecoderLayout(configuration)
    try Self.checkNames(base, layout)
    for entry in layout.entries { try Self.checkShape(base, entry) }
    var parameters: [Float] = []
    parameters.reserveCapacity(layout.count)
    for entry in layout.entries { parameters += try base.readFinite(entry.name, as: Float.self) }
    if configuration.tiesEmbeddings, base.contains(Self.headName) {
      try Self.checkTie(base, embedding: parameters[..<layout.entries[0].count])
    }
    self.init(configuration, parameters: parameters, tokenizer: tokenizer)
  }

  private static let headName = "lm_head.weight"

  private static func tokenizer(in folder: String, vocabularySize: Int) throws(FileError) -> CharacterTokenizer? {
    let path = folder + "/" + CharacterTokenizer.fileName
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let tokenizer = try CharacterTokenizer(folder: folder)
    guard tokenizer.count <= vocabularySize else {
      throw FileError(
        .badContent, path: path, object: "model.vocab",
        "expected at most \(vocabularySize) tokens, as \(DecoderConfiguration.fileName) says, found \(tokenizer.count)",
        remedy: "Use the tokenizer that belongs to the model")
    }
    return tokenizer
  }

  private static func checkNames(_ base: BaseModel, _ layout: DecoderLayout) throws(FileError) {
    let expected = Set(layout.entries.map(\.name))
    let missing = layout.entries.map(\.name).filter { !base.contains($0) }
    let unexpected = base.tensorNames.filter { !expected.contains($0) && !isIgnored($0, layout.configuration) }
    guard !missing.isEmpty || !unexpected.isEmpty else { return }
    let differences = [(missing, "missing"), (unexpected, "unexpected")].filter { !$0.0.isEmpty }
    let found = differences.map { "\($0.0.count) \($0.1) (\(listed($0.0)))" }.joined(separator: " and ")
    throw FileError(
      .badContent, path: base.path, object: "tensors",
      "expected the \(expected.count) that \(DecoderConfiguration.fileName) describes, found \(found)",
      remedy: missing == [headName]
        ? "Set tie_word_embeddings to true if the output head is the embedding"
        : "Give the folder of a whole \(layout.configuration.family.rawValue) model and its own configuration")
  }

  private static func isIgnored(_ name: String, _ configuration: DecoderConfiguration) -> Bool {
    name.hasSuffix("rotary_emb.inv_freq") || (configuration.tiesEmbeddings && name == headName)
  }

  private static func listed(_ names: [String]) -> String {
    let limit = 3
    let shown = names.prefix(limit).map { FileError.quoted($0) }.joined(separator: ", ")
    return names.count > limit ? shown + " and \(names.count - limit) more" : shown
  }

  private static func checkShape(_ base: BaseModel, _ entry: DecoderLayout.Entry) throws(FileError) {
    let file = try base.file(holding: entry.name)
    let shape = try file.entry(entry.name).shape
    guard shape == entry.shape else {
      throw FileError(
        .badContent, path: file.path, object: "tensor " + FileError.quoted(entry.name),
        "expected shape \(entry.shape), as \(DecoderConfiguration.fileName) says, found \(shape)",
        remedy: "Use the \(DecoderConfiguration.fileName) that belongs to these weights")
    }
  }

  private static func checkTie(_ base: BaseModel, embedding: ArraySlice<Float>) throws(FileError) {
    let head = try base.read(headName, as: Float.self)
    guard !head.elementsEqual(embedding) else { return }
    throw FileError(
      .badContent, path: try base.file(holding: headName).path, object: "tensor " + FileError.quoted(headName),
      "expected the embedding, to which \(DecoderConfiguration.fileName) ties it, found other values",
      remedy: "Set tie_word_embeddings to false if the model has an output head of its own")
  }
}

// MARK: - Writing

extension PretrainedModel {
  /// The file with the weights in a model's folder.
  package static let weightsFileName = "model.safetensors"
  /// The file that tells transformers where a generated sequence ends.
  package static let generationFileName = "generation_config.json"

  /// Writes a folder that `AutoModelForCausalLM` and `AutoTokenizer` of transformers load: the weights in Float32, the
  /// tokenizer, and last the configuration, without which nobody takes the folder for a model. Every file appears whole;
  /// those of the same names are replaced.
  ///
  /// - Throws: `FileError` with `.cannotCreate` or `.cannotWrite`.
  package func write(to folder: String) throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: folder, "the folder cannot be created", remedy: "Check the path and its permissions")
    }
    if let tokenizer { try write(tokenizer, to: folder) }
    var weights = SafetensorsWriter()
    for entry in layout.entries { weights.add(entry.name, shape: entry.shape, Array(values(of: entry))) }
    try weights.write(to: folder + "/" + Self.weightsFileName)
    let json = configuration.json(eos: tokenizer?.eos, pad: tokenizer?.pad)
    try Self.write(json, to: folder + "/" + DecoderConfiguration.fileName)
  }

  private func write(_ tokenizer: CharacterTokenizer, to folder: String) throws(FileError) {
    try Self.write(tokenizer.json, to: folder + "/" + CharacterTokenizer.fileName)
    try Self.write(
      tokenizer.configurationJSON(maximumLength: configuration.maximumLength),
      to: folder + "/" + CharacterTokenizer.configurationFileName)
    let generation: JSONValue = [
      "eos_token_id": .integer(Int(tokenizer.eos)), "pad_token_id": .integer(Int(tokenizer.pad)),
    ]
    try Self.write(generation, to: folder + "/" + Self.generationFileName)
  }

  private static func write(_ json: JSONValue, to path: String) throws(FileError) {
    try PendingFile.write(json.text(pretty: true) + "\n", to: path)
  }
}
