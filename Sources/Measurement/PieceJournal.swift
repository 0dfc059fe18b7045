import Adapters
import Foundation
import Synchronization
import Weights

/// The pieces of an analysis under way, one line of JSON each, beside its output: `<output>.pieces`.
///
/// A line is written whole by one `write` to a file opened for appending, so that an interruption at any moment costs at most
/// the last line, which the next start then leaves out. The first line says what the pieces belong to: with other checkpoints,
/// another base or other options they are thrown away.
final class PieceJournal: Sendable {
  let path: String
  private let content: Mutex<Content>

  private struct Content {
    var file: FileHandle
    /// Norms of base weights by tensor.
    var norms: [String: Double] = [:]
    var pieces: [PieceKey: MeasurementPiece] = [:]
    var marks: [Mark] = []
  }

  struct PieceKey: Hashable, Sendable {
    var step: Int
    var module: String
  }

  /// A checkpoint that was measured as a whole.
  struct Mark: Equatable {
    var step: Int
    /// What its files were.
    var fingerprint: String
    var remarks: [AdapterRemark]
  }

  /// Opens the journal of `output`, with what it already holds if it belongs to `identity`.
  ///
  /// - Parameter end: what is of this step and later ones is left out.
  init(output: String, identity: JSONValue, before end: Int = .max) throws(FileError) {
    path = Self.path(of: output)
    let header = identity.text()
    let kept = Self.lines(of: path, belongingTo: header).filter { Self.step(of: $0).map { $0 < end } ?? true }
    // Written anew, so that a torn last line cannot run into the first new one.
    let text = ([header] + kept.map { $0.text() }).joined(separator: "\n") + "\n"
    try PendingFile.write(text, to: path)
    guard let handle = FileHandle(forUpdatingAtPath: path), (try? handle.seekToEnd()) != nil else {
      throw FileError(
        .cannotWrite, path: path, "cannot be opened for appending", remedy: "Check the folder's permissions")
    }
    var content = Content(file: handle)
    for line in kept {
      if let mark = Mark(json: line) {
        content.marks.append(mark)
      } else if let tensor = line["tensor"]?.string, let norm = line["norm"]?.double {
        content.norms[tensor] = norm
      } else if let piece = MeasurementPiece(json: line) {
        content.pieces[piece.key] = piece
      }
    }
    self.content = Mutex(content)
  }

  static func path(of output: String) -> String { output + ".pieces" }

  /// The pieces that the journal of `output` has by now, where it belongs to `identity`; changes nothing, whoever may be writing.
  static func keys(of output: String, identity: JSONValue) -> Set<PieceKey> {
    Set(lines(of: path(of: output), belongingTo: identity.text()).compactMap { MeasurementPiece(json: $0)?.key })
  }

  private static func lines(of path: String, belongingTo header: String) -> [JSONValue] {
    guard let bytes = FileManager.default.contents(atPath: path) else { return [] }
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    guard let first = lines.first, String(decoding: first, as: UTF8.self) == header else { return [] }
    return lines.dropFirst().compactMap { try? JSONValue(parsing: Array($0)) }
  }

  private static func step(of line: JSONValue) -> Int? { line["measured"]?.int ?? line["step"]?.int }

  /// Removes the journal once its pieces are in the output.
  func remove() { try? FileManager.default.removeItem(atPath: path) }
}

// MARK: - What it holds

extension PieceJournal {
  var pieces: [MeasurementPiece] { content.withLock { Array($0.pieces.values) } }
  var pieceCount: Int { content.withLock { $0.pieces.count } }
  /// Of a series that is followed: the checkpoints that were measured, in the order in which they were.
  var marks: [Mark] { content.withLock { $0.marks } }

  func piece(_ key: PieceKey) -> MeasurementPiece? { content.withLock { $0.pieces[key] } }
  func norm(of tensor: String) -> Double? { content.withLock { $0.norms[tensor] } }
}

// MARK: - Adding to it

extension PieceJournal {
  func append(_ mark: Mark) throws(FileError) { try append(mark.json) { $0.marks.append(mark) } }

  func append(_ piece: MeasurementPiece) throws(FileError) { try append(piece.json) { $0.pieces[piece.key] = piece } }

  func append(norm: Double, of tensor: String) throws(FileError) {
    try append(["tensor": .string(tensor), "norm": .number(norm)]) { $0.norms[tensor] = norm }
  }

  private func append(_ line: JSONValue, _ take: (inout Content) -> Void) throws(FileError) {
    let bytes = Data((line.text() + "\n").utf8)
    let isWritten = content.withLock { content in
      guard (try? content.file.write(contentsOf: bytes)) != nil else { return false }
      take(&content)
      return true
    }
    guard isWritten else {
      throw FileError(.cannotWrite, path: path, "a piece could not be written", remedy: "Check the free space")
    }
  }
}

extension MeasurementPiece {
  var key: PieceJournal.PieceKey { PieceJournal.PieceKey(step: step, module: module) }
}

extension PieceJournal.Mark {
  fileprivate var json: JSONValue {
    ["measured": .integer(step), "fingerprint": .string(fingerprint), "remarks": .array(remarks.map(\.json))]
  }

  fileprivate init?(json: JSONValue) {
    guard let step = json["measured"]?.int, let fingerprint = json["fingerprint"]?.string,
      let remarks = json["remarks"]?.array
    else { return nil }
    self.init(step: step, fingerprint: fingerprint, remarks: remarks.compactMap(AdapterRemark.init(json:)))
  }
}
