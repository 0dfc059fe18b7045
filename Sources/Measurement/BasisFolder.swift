import Adapters
import Foundation
import LinearAlgebra
import OrderedCollections
import Spectra
import Weights

/// The spectral bases of a base model's weights, one safetensors file a weight, made once and read by every later analysis.
///
/// A file is known for that of its weight by the model file's path, size and time of modification and by the tensor's place in it, so
/// that a warm start reads no weight. Where these differ – the model was copied, or touched – the SHA-256 of the tensor decides.
/// Every file is written whole under a temporary name and renamed: an interruption loses what is in flight.
package struct BasisFolder: Sendable {
  package let path: String
  /// Compare the SHA-256 of every weight, whatever path and time say.
  package var verifies: Bool

  package init(path: String, verifies: Bool = false) {
    self.path = path
    self.verifies = verifies
  }

  /// How a basis came about.
  package enum Origin: Sendable {
    /// Read from the folder.
    case kept
    /// Computed, and written where there is a folder.
    case computed
  }

  /// The basis of a weight with at least the vectors wanted: from the folder, or computed and kept there.
  ///
  /// - Throws: `FileError` where the weight cannot be read, the folder cannot be written, or `LinearAlgebraError`.
  func basis(of tensor: BaseTensor, keeping kept: KeptVectors) throws -> (SpectralBasis, Origin) {
    let stored = try tensor.asStored()
    let (basis, origin) = try storedBasis(of: stored, keeping: kept)
    return (tensor.match.isTransposed == stored.match.isTransposed ? basis : basis.transposed, origin)
  }

  /// The basis of a weight as its file has it: one file serves whoever reads the weight the other way round.
  private func storedBasis(of tensor: BaseTensor, keeping kept: KeptVectors) throws -> (SpectralBasis, Origin) {
    let file = path + "/" + Self.name(of: tensor)
    let identity = try BasisIdentity(of: tensor)
    var wanted = kept
    if let found = try? BasisFile(path: file), found.format == BasisFile.currentFormat {
      let isSame = try verifies || found.identity != identity ? found.digest == tensor.sha256() : true
      if isSame, found.holds(wanted, tensor), let basis = try? found.basis() {
        // That a folder of somebody else's cannot take the new time is no reason not to use it.
        if found.identity != identity {
          try? BasisFile(basis, digest: found.digest).write(to: file, identity: identity)
        }
        return (basis, .kept)
      }
      // Whoever needed more vectors will need them again.
      if isSame { wanted = wanted.union(found.counts) }
    }
    let basis = try SpectralBasis(of: tensor, keeping: wanted)
    try create()
    try BasisFile(basis, digest: tensor.sha256()).write(to: file, identity: identity)
    return (basis, .computed)
  }

  /// Whether there is a file for the weight; what it holds is seen when it is read.
  func hasFile(for tensor: BaseTensor) throws(FileError) -> Bool {
    FileManager.default.fileExists(atPath: path + "/" + Self.name(of: try tensor.asStored()))
  }

  /// Makes the folder where there is none.
  func create() throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: path, "the folder for spectral bases cannot be created",
        remedy: "Name another one with --basis")
    }
  }

  static let suffix = ".safetensors"

  /// A file name for a tensor: what is no plain character is written as %hex, as in URLs.
  static func name(of tensor: BaseTensor) -> String {
    var name = ([tensor.match.tensor] + tensor.match.stacked).joined(separator: "+")
    if let expert = tensor.match.expert { name += "[\(expert)]" }
    if let norm = tensor.match.norm { name += "·" + norm.tensor }
    let plain = name.utf8.map { byte -> String in
      let isPlain =
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        || [45, 46, 95].contains(byte)
      return isPlain ? String(UnicodeScalar(byte)) : "%" + String(byte, radix: 16, uppercase: true)
    }.joined()
    guard plain.utf8.count > 200 else { return plain + suffix }
    var digest = SHA256()
    digest.update(Array(name.utf8))
    return plain.prefix(120) + "-" + digest.hexadecimal.prefix(32) + suffix
  }
}

extension KeptVectors {
  /// At least what both keep.
  fileprivate func union(_ other: (leading: Int, trailing: Int)) -> KeptVectors {
    KeptVectors(
      leading: max(leading, other.leading), trailing: max(trailing, other.trailing), keepsAll: keepsAll)
  }
}
