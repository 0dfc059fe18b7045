import Adapters
import LinearAlgebra
import Weights

extension BaseModel {
  /// The base weight of a module in Float64, output × input: behind a norm, times the norm's gains.
  func matrix(_ match: ModuleMatcher.Match) throws(FileError) -> Matrix<Double> {
    guard let norm = match.norm else { return try storedMatrix(match) }
    let gains = try normGains(norm, size: match.columns)
    return try storedMatrix(match).scalingColumns(by: gains.map { norm.offset + $0 })
  }

  /// ‖W₀‖_F, in bounded memory where W₀ is a whole tensor.
  func frobeniusNorm(_ match: ModuleMatcher.Match) throws(FileError) -> Double {
    if match.norm == nil, match.expert == nil { return try frobeniusNorm(of: match.tensor) }
    do {
      return try matrix(match).frobeniusNorm()
    } catch let error as FileError {
      throw error
    } catch {
      throw FileError(.badContent, path: path, object: "tensor " + FileError.quoted(match.tensor), "\(error)")
    }
  }

  /// The gains γ of a norm as they are stored.
  func normGains(_ norm: ModuleMatcher.Norm, size: Int) throws(FileError) -> [Double] {
    let gains = try readFinite(norm.tensor, as: Double.self)
    guard gains.count == size else {
      throw FileError(
        .badContent, path: path, object: "tensor " + FileError.quoted(norm.tensor),
        "expected \(size) gains, found \(gains.count)")
    }
    return gains
  }

  /// The weight alone, output × input.
  func storedMatrix(_ match: ModuleMatcher.Match) throws(FileError) -> Matrix<Double> {
    let (rows, columns) = match.isTransposed ? (match.columns, match.rows) : (match.rows, match.columns)
    let values: [Double] =
      if let expert = match.expert {
        try readExpert(expert, of: match.tensor, size: rows * columns)
      } else {
        try readMatrix(match.tensor, as: Double.self).values
      }
    let stored = Matrix(rows: rows, columns: columns, elements: values)
    return match.isTransposed ? stored.transposedCopy() : stored
  }

  /// The matrix of one expert out of a tensor that holds those of all, without reading the others.
  private func readExpert(_ expert: Int, of name: String, size: Int) throws(FileError) -> [Double] {
    let file = try file(holding: name)
    let entry = try file.entry(name)
    guard let format = entry.elementType.format else {
      throw FileError(
        .badContent, path: file.path, object: "tensor " + FileError.quoted(name),
        "expected a floating-point type, found \(entry.elementType)")
    }
    let count = size * format.bytes
    let bytes = try file.file.read(count, at: entry.byteRange.lowerBound + expert * count)
    let values = [Double](unsafeUninitializedCapacity: size) { buffer, initialized in
      bytes.withUnsafeBytes { Double.decode($0, of: format, into: UnsafeMutableBufferPointer(rebasing: buffer[..<size])) }
      initialized = size
    }
    guard values.allSatisfy(\.isFinite) else {
      // The count of the whole tensor says more than that of one expert.
      if let error = try file.countNonFinite(of: name).error(path: file.path, name: name) { throw error }
      return values
    }
    return values
  }
}

/// The base weight of a module, read when something first needs it.
final class LazyBaseWeight: PretrainedWeight {
  private let base: BaseModel
  private let match: ModuleMatcher.Match
  private var weight: Matrix<Double>?

  init(_ base: BaseModel, _ match: ModuleMatcher.Match) {
    self.base = base
    self.match = match
  }

  func matrix() throws -> Matrix<Double> {
    if let weight { return weight }
    let read = try base.matrix(match)
    weight = read
    return read
  }

  func weightBehindNorm() throws -> (weight: Matrix<Double>, gains: [Double], offset: Double) {
    guard let norm = match.norm else { preconditionFailure("no norm was matched") }
    return (try base.storedMatrix(match), try base.normGains(norm, size: match.columns), norm.offset)
  }

  /// Gives the memory back until the weight is asked for again.
  func forget() { weight = nil }
}
