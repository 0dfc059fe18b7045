import Adapters
import Foundation
import RunStore
import Synchronization
import Weights

/// The Frobenius norms of a base model's weights, beside their spectral bases: what depth `update` needs of a weight, and would read all
/// of it for. One line of JSON a weight, in `norms.jsonl`; a norm is known for that of its weight as a basis is, see `BasisFolder`.
final class KeptNorms: Sendable {
  private let folder: BasisFolder?
  private let norms: Mutex<[Key: Double]>

  private struct Key: Hashable {
    var name: String
    var identity: String
  }

  /// Reads what the folder keeps; without a folder nothing is kept.
  init(_ folder: BasisFolder?) {
    self.folder = folder
    var found: [Key: Double] = [:]
    let bytes = folder.flatMap { FileManager.default.contents(atPath: Self.path(in: $0)) } ?? Data()
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let json = try? JSONValue(parsing: Array(line)), let name = json["tensor"]?.string,
        let identity = json["source"]?.string, let norm = json["norm"]?.double
      else { continue }
      found[Key(name: name, identity: identity)] = norm
    }
    norms = Mutex(found)
  }

  private static func path(in folder: BasisFolder) -> String { folder.path + "/norms.jsonl" }

  /// Forgets all norms of a folder whose weights are to be looked at again.
  static func forget(in folder: BasisFolder) { try? FileManager.default.removeItem(atPath: path(in: folder)) }

  /// ‖W‖_F: kept, or read from the weight and kept.
  ///
  /// - Throws: `FileError` where the weight cannot be used.
  func norm(of tensor: BaseTensor) throws(FileError) -> Double {
    guard let folder else { return try tensor.frobeniusNorm() }
    let key = Key(name: BasisFolder.name(of: tensor), identity: try BasisIdentity(of: tensor).text)
    if let kept = norms.withLock({ $0[key] }) { return kept }
    let norm = try tensor.frobeniusNorm()
    norms.withLock { $0[key] = norm }
    // A folder that cannot be written costs the next analysis its time and this one nothing.
    try? keep(norm, key, in: folder)
    return norm
  }

  private func keep(_ norm: Double, _ key: Key, in folder: BasisFolder) throws {
    try folder.create()
    let line: JSONValue = ["tensor": .string(key.name), "source": .string(key.identity), "norm": .number(norm)]
    let file = try AppendedFile(path: Self.path(in: folder))
    // Other processes add to it as well, and a line that the disk has no room for is taken back.
    try file.lock(folder.path, a: "folder")
    try file.append(line.text() + "\n")
  }
}
