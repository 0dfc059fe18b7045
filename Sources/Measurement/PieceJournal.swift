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
  /// What an earlier start has left: norms of base weights by tensor, and pieces.
  let norms: [String: Double]
  let pieces: [PieceKey: MeasurementPiece]
  private let file: Mutex<FileHandle>

  struct PieceKey: Hashable, Sendable {
    var step: Int
    var module: String
  }

  /// Opens the journal of `output`, with what it already holds if it belongs to `identity`.
  init(output: String, identity: JSONValue) throws(FileError) {
    path = output + ".pieces"
    let header = identity.text()
    let kept = Self.lines(of: path, belongingTo: header)
    var norms: [String: Double] = [:]
    var pieces: [PieceKey: MeasurementPiece] = [:]
    for line in kept {
      if let tensor = line["tensor"]?.string, let norm = line["norm"]?.double {
        norms[tensor] = norm
      } else if let piece = MeasurementPiece(json: line) {
        pieces[PieceKey(step: piece.step, module: piece.module)] = piece
      }
    }
    // Written anew, so that a torn last line cannot run into the first new one.
    let text = ([header] + kept.map { $0.text() }).joined(separator: "\n") + "\n"
    try PendingFile.write(text, to: path)
    guard let handle = FileHandle(forUpdatingAtPath: path), (try? handle.seekToEnd()) != nil else {
      throw FileError(
        .cannotWrite, path: path, "cannot be opened for appending", remedy: "Check the folder's permissions")
    }
    self.norms = norms
    self.pieces = pieces
    file = Mutex(handle)
  }

  private static func lines(of path: String, belongingTo header: String) -> [JSONValue] {
    guard let bytes = FileManager.default.contents(atPath: path) else { return [] }
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    guard let first = lines.first, String(decoding: first, as: UTF8.self) == header else { return [] }
    return lines.dropFirst().compactMap { try? JSONValue(parsing: Array($0)) }
  }

  func append(_ piece: MeasurementPiece) throws(FileError) { try append(piece.json) }

  func append(norm: Double, of tensor: String) throws(FileError) {
    try append(["tensor": .string(tensor), "norm": .number(norm)])
  }

  private func append(_ line: JSONValue) throws(FileError) {
    let bytes = Data((line.text() + "\n").utf8)
    let written = file.withLock { handle in (try? handle.write(contentsOf: bytes)) != nil }
    guard written else {
      throw FileError(.cannotWrite, path: path, "a piece could not be written", remedy: "Check the free space")
    }
  }

  /// Removes the journal once its pieces are in the output.
  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
