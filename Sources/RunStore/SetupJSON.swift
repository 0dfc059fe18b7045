import Diagnosis
import Foundation
import Weights

/// How a run was set up, as JSON with sorted keys; what is not known has none.
package enum SetupJSON {
  /// One line of JSON; `path` is the file it is for, in messages.
  package static func text(of setup: RunSetup, path: String) throws(FileError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    do {
      return String(decoding: try encoder.encode(setup), as: UTF8.self)
    } catch {
      throw FileError(.cannotWrite, path: path, object: "/setup", "cannot make JSON: \(error)")
    }
  }

  static func setup(in dataset: borrowing HDF5Dataset) throws(FileError) -> RunSetup {
    let texts = try dataset.readTexts()
    guard texts.count == 1 else { throw dataset.location.error("expected one text, found \(texts.count)") }
    guard let setup = setup(in: texts[0]) else {
      throw dataset.location.error("expected a JSON object that says how the run was set up, found other text")
    }
    return setup
  }

  /// Nil for a text that says no such thing.
  package static func setup(in text: String) -> RunSetup? {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try? decoder.decode(RunSetup.self, from: Data(text.utf8))
  }
}
