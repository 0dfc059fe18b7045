import Weights

/// A vocabulary of one token a character. A character here is one Unicode scalar.
package struct CharacterTokenizer: Equatable, Sendable {
  /// The character of each token, each once.
  package let characters: [Unicode.Scalar]
  /// The token that ends a response.
  package let eos: Int32
  /// The token that fills up shorter sequences in other programs; training here packs sequences without padding.
  package let pad: Int32
  private let tokens: [Unicode.Scalar: Int32]

  /// A vocabulary in the order of its tokens; the characters must differ, and hold `eos` and `pad`, which differ too.
  package init(characters: some Sequence<Unicode.Scalar>, eos: Unicode.Scalar, pad: Unicode.Scalar) {
    self.characters = Array(characters)
    tokens = Dictionary(uniqueKeysWithValues: self.characters.enumerated().map { ($1, Int32($0)) })
    guard let eos = tokens[eos], let pad = tokens[pad], eos != pad else {
      preconditionFailure("The vocabulary needs an end and a filler that differ.")
    }
    self.eos = eos
    self.pad = pad
  }

  /// The vocabulary of the tasks: digits and operators, the letters of the string tasks, `_` to fill, `;` to end.
  package static let tasks = CharacterTokenizer(
    characters: "_0123456789+-*=>;:RSCabcdefgh".unicodeScalars, eos: ";", pad: "_")

  /// The number of tokens.
  package var count: Int { characters.count }

  /// The tokens of a text.
  ///
  /// - Throws: `TokenizationError` for the first character that has no token.
  package func encode(_ text: String) throws(TokenizationError) -> [Int32] {
    var encoded: [Int32] = []
    encoded.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      guard let token = tokens[scalar] else {
        throw TokenizationError(character: scalar, position: encoded.count, text: text, characters: characters)
      }
      encoded.append(token)
    }
    return encoded
  }

  /// The text of tokens; a token beyond the vocabulary, which a model with a larger one can produce, becomes U+FFFD.
  package func decode(_ tokens: some Sequence<Int32>) -> String {
    var text = String.UnicodeScalarView()
    for token in tokens {
      text.append(characters.indices.contains(Int(token)) ? characters[Int(token)] : "\u{FFFD}")
    }
    return String(text)
  }
}

/// A character of a text that the vocabulary does not have.
package struct TokenizationError: Error, Equatable, Sendable {
  /// The first character without a token.
  package let character: Unicode.Scalar
  /// How many characters stand before it.
  package let position: Int
  /// The text that holds it.
  package let text: String
  /// The vocabulary.
  package let characters: [Unicode.Scalar]
}

extension TokenizationError: CustomStringConvertible {
  package var description: String {
    let vocabulary = String(String.UnicodeScalarView(characters))
    return "\(FileError.quoted(text)): expected characters of \(FileError.quoted(vocabulary)), "
      + "found \(FileError.quoted(String(character))) at position \(position)"
  }
}
