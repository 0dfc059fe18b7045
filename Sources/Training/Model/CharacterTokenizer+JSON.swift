import OrderedCollections
import Weights

extension CharacterTokenizer {
  /// The file with the vocabulary in a model's folder.
  package static let fileName = "tokenizer.json"
  /// The file that names the special tokens.
  package static let configurationFileName = "tokenizer_config.json"

  /// Reads the two files from a model's folder.
  ///
  /// - Throws: `FileError` where one is missing or broken, and where the tokenizer is of a kind that makes more or less
  ///   than one token of a character.
  package init(folder: String) throws(FileError) {
    let characters = try JSONFields(path: folder + "/" + Self.fileName).characters()
    let special = try JSONFields(path: folder + "/" + Self.configurationFileName)
    let eos = try special.character("eos_token", of: characters)
    let pad = try special.character("pad_token", of: characters)
    guard eos != pad else {
      throw special.wrong(
        "pad_token", expected: "another token than eos_token",
        remedy: "A model whose end is taken for a filler does not learn to stop")
    }
    self.init(characters: characters, eos: eos, pad: pad)
  }
}

extension JSONFields {
  /// The characters of a `tokenizer.json` in the order of their tokens.
  fileprivate func characters() throws(FileError) -> [Unicode.Scalar] {
    let isWordLevel = value("model.type") == "WordLevel"
    // What transformers saves for Qwen2 after loading a vocabulary of single characters.
    let isUnmerged = value("model.type") == "BPE" && value("model.merges") == []
    guard isWordLevel || isUnmerged else {
      throw otherTokenizer("model.type", expected: #""WordLevel", with one token a character"#)
    }
    let characters = try vocabulary()
    if isWordLevel { try checkSplitting() } else { try checkBytes(characters) }
    try checkPostProcessor()
    return characters
  }

  private func vocabulary() throws(FileError) -> [Unicode.Scalar] {
    guard let entries = value("model.vocab")?.object, !entries.isEmpty else {
      throw otherTokenizer("model.vocab", expected: "an object from characters to tokens")
    }
    var characters = [Unicode.Scalar?](repeating: nil, count: entries.count)
    for (text, value) in entries {
      guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1 else {
        throw otherTokenizer("model.vocab", .string(text), expected: "single characters")
      }
      guard let token = value.int, characters.indices.contains(token), characters[token] == nil else {
        throw otherTokenizer(
          "model.vocab." + FileError.quoted(text), value,
          expected: "a token from 0 to \(entries.count - 1) that no other character has")
      }
      characters[token] = scalar
    }
    for added in value("added_tokens")?.array ?? [] where entries[added["content"]?.string ?? ""] == nil {
      throw otherTokenizer("added_tokens", added["content"], expected: "tokens of the vocabulary alone")
    }
    return characters.compactMap { $0 }
  }

  /// Whether every character becomes a word of its own.
  private func checkSplitting() throws(FileError) {
    guard value("normalizer") == nil else { throw otherTokenizer("normalizer", expected: "none") }
    let pattern = "pre_tokenizer.pattern.Regex"
    let splitting = [("pre_tokenizer.type", "Split"), ("pre_tokenizer.behavior", "Isolated"), (pattern, #"[\s\S]"#)]
    for (field, expected) in splitting where value(field)?.string != expected {
      throw otherTokenizer(field, expected: FileError.quoted(expected))
    }
  }

  /// Without merges, byte-level BPE makes one token of each byte, and writes visible ASCII as it is.
  private func checkBytes(_ characters: [Unicode.Scalar]) throws(FileError) {
    if let other = characters.first(where: { !("!"..."~").contains($0) }) {
      throw otherTokenizer(
        "model.vocab", .string(String(other)), expected: "visible characters of ASCII, one byte each")
    }
    for field in ["model.continuing_subword_prefix", "model.end_of_word_suffix"] where value(field) ?? "" != "" {
      throw otherTokenizer(field, expected: "none")
    }
    // Composing characters (NFC) leaves ASCII as it is.
    guard value("normalizer.type") ?? "NFC" == "NFC" else {
      throw otherTokenizer("normalizer.type", expected: #"none or "NFC""#)
    }
  }

  private func checkPostProcessor() throws(FileError) {
    let type = value("post_processor.type")
    let isEmptyTemplate = type == "TemplateProcessing" && value("post_processor.special_tokens") == [:]
    guard value("post_processor") == nil || type == "ByteLevel" || isEmptyTemplate else {
      throw otherTokenizer("post_processor.type", expected: "none that adds tokens to a text")
    }
  }

  private func otherTokenizer(_ field: String, expected: String) -> FileError {
    otherTokenizer(field, stated(field), expected: expected)
  }

  private func otherTokenizer(_ field: String, _ value: JSONValue?, expected: String) -> FileError {
    wrong(
      field, value, expected: expected,
      remedy: "Training needs one token a character so far; make such a base with: spectroscope pretrain")
  }

  /// A special token of a `tokenizer_config.json`. Older files write it as an object with its text and how it is matched.
  fileprivate func character(_ field: String, of characters: [Unicode.Scalar]) throws(FileError) -> Unicode.Scalar {
    let text = (value(field + ".content") ?? value(field))?.string ?? ""
    guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1, characters.contains(scalar) else {
      throw wrong(
        field, expected: "a character of the vocabulary",
        remedy: "Name the token that ends a response as eos_token, and one that fills as pad_token")
    }
    return scalar
  }
}

// MARK: - Writing

extension CharacterTokenizer {
  /// The `tokenizer.json`, for which every character is a word. A character without a token is an error there too, since
  /// the token for unknown words is not in the vocabulary.
  package var json: JSONValue {
    let vocabulary = OrderedDictionary<String, JSONValue>(
      uniqueKeysWithValues: characters.enumerated().map { (String($1), .integer($0)) })
    return [
      "version": "1.0", "truncation": nil, "padding": nil,
      "added_tokens": .array([pad, eos].sorted().map(addedToken)),
      "normalizer": nil,
      "pre_tokenizer": [
        "type": "Split", "pattern": ["Regex": #"[\s\S]"#], "behavior": "Isolated", "invert": false,
      ],
      "post_processor": nil,
      "decoder": ["type": "Fuse"],
      "model": ["type": "WordLevel", "vocab": .object(vocabulary), "unk_token": "<unk>"],
    ]
  }

  private func addedToken(_ token: Int32) -> JSONValue {
    [
      "id": .integer(Int(token)), "content": .string(decode([token])), "single_word": false, "lstrip": false,
      "rstrip": false, "normalized": false, "special": true,
    ]
  }

  /// The `tokenizer_config.json` for sequences of at most `maximumLength` tokens.
  package func configurationJSON(maximumLength: Int) -> JSONValue {
    [
      "tokenizer_class": "PreTrainedTokenizerFast",
      "eos_token": .string(decode([eos])), "pad_token": .string(decode([pad])),
      // Transformers 5 gives Qwen2 an unknown token of its own, beyond the vocabulary, unless it is told that there is none.
      "unk_token": nil, "bos_token": nil,
      "model_max_length": .integer(maximumLength), "padding_side": "left", "clean_up_tokenization_spaces": false,
    ]
  }
}
