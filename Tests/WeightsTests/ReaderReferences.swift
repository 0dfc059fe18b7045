import TestSupport
import Testing
import Weights

/// Files that PyTorch, PEFT and FSDP wrote, and what is in them by torch's own account.
enum ReaderReferences {
  static let folder = repositoryRoot + "/Tests/References/readers"

  /// What a tensor has to be.
  struct Expectation: Sendable {
    let shape: [Int]
    let type: String
    /// SHA-256 of the stored elements in row-major order.
    let bytes: String
    /// SHA-256 of the values as Float64; nil for types that are no numbers to read.
    let values: String?
    let norm: Double?
  }

  static func path(_ name: String) -> String { folder + "/" + name }

  static func manifest() throws -> JSONValue { try JSONValue(contentsOf: path("manifest.json")) }

  /// The tensors that a file or folder holds, in order.
  static func expected(_ name: String) throws -> [(name: String, expectation: Expectation)] {
    let tensors = try #require(try manifest()["expected"]?[name]?.object)
    return try tensors.map { tensor, value in
      let shape = try #require(value["shape"]?.array)
      let (type, bytes) = (try #require(value["dtype"]?.string), try #require(value["bytes"]?.string))
      let expectation = Expectation(
        shape: shape.compactMap(\.int), type: type, bytes: bytes, values: value["values"]?.string,
        norm: value["norm"]?.double)
      return (tensor, expectation)
    }
  }

  /// The digest that the manifest has of values.
  static func digest(_ values: [Double]) -> String {
    var digest = SHA256()
    digest.update(values.map(\.bitPattern.littleEndian).withUnsafeBytes { [UInt8]($0) })
    return digest.hexadecimal
  }

  static func digest(_ bytes: [UInt8]) -> String {
    var digest = SHA256()
    digest.update(bytes)
    return digest.hexadecimal
  }
}

/// Whether two norms differ by no more than the rounding of sums in another order.
func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-13 * max(a.magnitude, b.magnitude) }

/// A part of a matrix that is given row by row.
func part(of whole: [Double], width: Int, rows: Range<Int>, columns: Range<Int>) -> [Double] {
  var values: [Double] = []
  for row in rows { values += whole[row * width + columns.lowerBound..<row * width + columns.upperBound] }
  return values
}
