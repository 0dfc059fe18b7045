import TestSupport
import Testing
import Training
import Weights

@Suite struct CharacterTokenizerTests {
  private let tokenizer = CharacterTokenizer.tasks

  @Test func everyCharacterIsAToken() throws {
    #expect(tokenizer.count == 29)
    #expect(tokenizer.pad == 0 && tokenizer.eos == 16)
    #expect(try tokenizer.encode("12*3+45=") == [2, 3, 13, 4, 11, 5, 6, 14])
    #expect(try tokenizer.encode("") == [])
    let all = "_0123456789+-*=>;:RSCabcdefgh"
    #expect(try tokenizer.encode(all) == Array(0..<29))
    #expect(tokenizer.decode(0..<29) == all)
    #expect(tokenizer.decode([19, 17, 28, 14]) == "S:h=")
  }

  @Test(arguments: [
    ("12x", #""12x": expected characters of "_0123456789+-*=>;:RSCabcdefgh", found "x" at position 2"#),
    ("A", #""A": expected characters of "_0123456789+-*=>;:RSCabcdefgh", found "A" at position 0"#),
    ("1\n", #""1\u{a}": expected characters of "_0123456789+-*=>;:RSCabcdefgh", found "\u{a}" at position 1"#),
  ])
  func aCharacterWithoutATokenIsNamed(text: String, message: String) throws {
    let error = try #require(throws: TokenizationError.self) { try tokenizer.encode(text) }
    #expect(error.description == message)
  }

  /// A letter with an accent after it is one character for Swift, and two tokens for a vocabulary that has both.
  @Test func charactersAreUnicodeScalars() throws {
    let accented = CharacterTokenizer(characters: "a\u{301}.!".unicodeScalars, eos: ".", pad: "!")
    #expect(try accented.encode("a\u{301}a") == [0, 1, 0])
    #expect(accented.decode([0, 1, 0]) == "a\u{301}a")
    #expect(throws: TokenizationError.self) { try tokenizer.encode("a\u{301}") }
  }

  /// A model may have more tokens than its vocabulary.
  @Test func tokensBeyondTheVocabularyAreMarked() {
    #expect(tokenizer.decode([2, 29, 3, -1]) == "1\u{FFFD}2\u{FFFD}")
  }
}

// MARK: - Files

extension CharacterTokenizerTests {
  private func read(_ tokenizer: String, _ configuration: String) throws -> CharacterTokenizer {
    let folder = try TemporaryFolder()
    try folder.write("tokenizer.json", tokenizer)
    try folder.write("tokenizer_config.json", configuration)
    return try CharacterTokenizer(folder: folder.path)
  }

  private var configuration: String { tokenizer.configurationJSON(maximumLength: 64).text() }

  @Test func theFilesReadBackAsTheSameTokenizer() throws {
    #expect(try read(tokenizer.json.text(pretty: true), configuration) == tokenizer)
    let other = CharacterTokenizer(characters: "é. \u{1F600}\"".unicodeScalars, eos: ".", pad: " ")
    #expect(try read(other.json.text(), other.configurationJSON(maximumLength: 8).text()) == other)
  }

  @Test func theConfigurationStatesWhatTransformersWouldGuessOtherwise() {
    let json = tokenizer.configurationJSON(maximumLength: 64)
    #expect(json["eos_token"] == ";" && json["pad_token"] == "_")
    #expect(json["unk_token"] == JSONValue.null && json["bos_token"] == JSONValue.null)
    #expect(json["model_max_length"] == 64)
  }

  /// Transformers loads Qwen2 with a tokenizer class of its own, and saves that: byte-level BPE without merges.
  private var savedForQwen2: JSONValue {
    [
      "version": "1.0", "added_tokens": tokenizer.json["added_tokens"]!, "normalizer": ["type": "NFC"],
      "pre_tokenizer": [
        "type": "Sequence",
        "pretokenizers": [
          ["type": "Split", "pattern": ["Regex": #"\p{N}| ?[^\s\p{L}\p{N}]+"#], "behavior": "Isolated"],
          ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
        ],
      ],
      "post_processor": ["type": "TemplateProcessing", "single": [["Sequence": ["id": "A"]]], "special_tokens": [:]],
      "decoder": ["type": "ByteLevel"],
      "model": [
        "type": "BPE", "unk_token": nil, "continuing_subword_prefix": "", "end_of_word_suffix": "",
        "vocab": tokenizer.json["model"]!["vocab"]!, "merges": [],
      ],
    ]
  }

  @Test func aVocabularyThatTransformersSavedForQwen2IsTheSame() throws {
    #expect(try read(savedForQwen2.text(), Self.savedConfiguration) == tokenizer)
  }

  private static let savedConfiguration = #"""
    {"eos_token": {"content": ";", "lstrip": false}, "pad_token": "_", "tokenizer_class": "Qwen2Tokenizer"}
    """#

  @Test(arguments: [
    (
      #""merges":[]"#, #""merges":[["1","2"]]"#,
      #"model.type: expected "WordLevel", with one token a character, found "BPE"."#
    ),
    (
      #""h":28"#, #""h":28," ":29"#,
      #"model.vocab: expected visible characters of ASCII, one byte each, found " "."#
    ),
    (
      #""end_of_word_suffix":"""#, #""end_of_word_suffix":"</w>""#,
      #"model.end_of_word_suffix: expected none, found "</w>"."#
    ),
    ("NFC", "Lowercase", #"normalizer.type: expected none or "NFC", found "Lowercase"."#),
  ])
  func otherBytePairsAreRefused(part: String, replacement: String, problem: String) throws {
    let text = savedForQwen2.text()
    let changed = text.replacing(part, with: replacement)
    #expect(changed != text)
    #expect(try message(changed, Self.savedConfiguration) == "tokenizer.json: " + problem + remedy)
  }

  private var remedy: String {
    " Training needs one token a character so far; make such a base with: spectroscope pretrain"
  }

  /// The error, from the name of the file on.
  private func message(_ tokenizer: String, _ configuration: String) throws -> String {
    let error = try #require(throws: FileError.self) { try read(tokenizer, configuration) }
    #expect(error.kind == .badContent)
    return String(error.description.dropFirst(error.path.count - error.path.split(separator: "/").last!.count))
  }

  @Test(arguments: [
    (
      #""type":"WordLevel""#, #""type":"Unigram""#,
      #"model.type: expected "WordLevel", with one token a character, found "Unigram"."#
    ),
    (#""model":{"#, #""other":{"#, #"model.type: expected "WordLevel", with one token a character, found none."#),
    (#""vocab":{"_":0"#, #""vocab":{"ab":0"#, #"model.vocab: expected single characters, found "ab"."#),
    (#""vocab":{"_":0"#, #""vocab":{"":0"#, #"model.vocab: expected single characters, found ""."#),
    (
      #""h":28"#, #""h":27"#,
      #"model.vocab."h": expected a token from 0 to 28 that no other character has, found 27."#
    ),
    (
      #""h":28"#, #""h":29"#,
      #"model.vocab."h": expected a token from 0 to 28 that no other character has, found 29."#
    ),
    (
      #""h":28"#, #""h":-1"#,
      #"model.vocab."h": expected a token from 0 to 28 that no other character has, found -1."#
    ),
    (
      #""h":28"#, #""h":"x""#,
      #"model.vocab."h": expected a token from 0 to 28 that no other character has, found "x"."#
    ),
    (
      #""vocab":{"#, #""vocab":{},"was":{"#,
      "model.vocab: expected an object from characters to tokens, found an object."
    ),
    (
      #""content":";""#, #""content":"<end>""#,
      #"added_tokens: expected tokens of the vocabulary alone, found "<end>"."#
    ),
    (#""normalizer":null"#, #""normalizer":{"type":"Lowercase"}"#, "normalizer: expected none, found an object."),
    (#""type":"Split""#, #""type":"Whitespace""#, #"pre_tokenizer.type: expected "Split", found "Whitespace"."#),
    (#""Isolated""#, #""Removed""#, #"pre_tokenizer.behavior: expected "Isolated", found "Removed"."#),
    (#""[\\s\\S]""#, #""\\d""#, #"pre_tokenizer.pattern.Regex: expected "[\s\S]", found "\d"."#),
    (
      #""post_processor":null"#, #""post_processor":{"type":"TemplateProcessing","special_tokens":{"<s>":{}}}"#,
      #"post_processor.type: expected none that adds tokens to a text, found "TemplateProcessing"."#
    ),
  ])
  func aTokenizerOfAnotherKindIsRefused(part: String, replacement: String, problem: String) throws {
    let text = tokenizer.json.text()
    let changed = text.replacing(part, with: replacement)
    #expect(changed != text)
    #expect(try message(changed, configuration) == "tokenizer.json: " + problem + remedy)
  }

  @Test(arguments: [
    (#""eos_token":";""#, #""eos_token":null"#, "eos_token: expected a character of the vocabulary, found null."),
    (#""eos_token":";","#, "", "eos_token: expected a character of the vocabulary, found none."),
    (
      #""pad_token":"_""#, #""pad_token":"<pad>""#,
      #"pad_token: expected a character of the vocabulary, found "<pad>"."#
    ),
    (#""pad_token":"_""#, #""pad_token":"x""#, #"pad_token: expected a character of the vocabulary, found "x"."#),
  ])
  func specialTokensMustBeInTheVocabulary(part: String, replacement: String, problem: String) throws {
    let changed = configuration.replacing(part, with: replacement)
    #expect(changed != configuration)
    let remedy = " Name the token that ends a response as eos_token, and one that fills as pad_token"
    #expect(try message(tokenizer.json.text(), changed) == "tokenizer_config.json: " + problem + remedy)
  }

  @Test func theEndIsNoFiller() throws {
    let changed = configuration.replacing(#""pad_token":"_""#, with: #""pad_token":";""#)
    #expect(
      try message(tokenizer.json.text(), changed)
        == #"tokenizer_config.json: pad_token: expected another token than eos_token, found ";". "#
        + "A model whose end is taken for a filler does not learn to stop")
  }

  @Test func aMissingFileIsNamed() throws {
    let folder = try TemporaryFolder()
    try folder.write("tokenizer.json", tokenizer.json.text())
    let error = try #require(throws: FileError.self) { try CharacterTokenizer(folder: folder.path) }
    #expect(error.kind == .cannotOpen && error.path == folder.path("tokenizer_config.json"))
  }
}
