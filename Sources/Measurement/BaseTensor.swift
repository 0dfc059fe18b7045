import Adapters
import LinearAlgebra
import Spectra
import Weights

/// The base weight of a module, read from its file as it is needed; behind a norm, times the norm's gains.
struct BaseTensor: MatrixSource {
  let base: BaseModel
  let match: ModuleMatcher.Match
  /// Output × input.
  let rows: Int
  let columns: Int
  /// A factor for every input; nil where there is no norm.
  private let gains: [Double]?

  init(_ base: BaseModel, _ match: ModuleMatcher.Match) throws(FileError) {
    self.base = base
    self.match = match
    var shape = try base.shape(of: match.tensor)
    if match.expert != nil { shape.removeFirst() }
    guard shape.count == 2 else {
      throw FileError(
        .badContent, path: base.path, object: "tensor " + FileError.quoted(match.tensor),
        "expected a matrix, found shape \(shape)")
    }
    for name in match.stacked {
      let below = try base.shape(of: name)
      guard below.count == 2, below[1] == shape[1], !match.isTransposed else {
        throw FileError(
          .badContent, path: base.path, object: "tensor " + FileError.quoted(name),
          "expected \(shape[1]) columns, as \(match.tensor) has, found shape \(below)")
      }
      shape[0] += below[0]
    }
    (rows, columns) = match.isTransposed ? (shape[1], shape[0]) : (shape[0], shape[1])
    gains = try match.norm.map { norm throws(FileError) in
      try base.readFinite(norm.tensor, as: Double.self).map { norm.offset + $0 }
    }
  }

  /// The same weight, in the orientation of its file; behind a norm as it is.
  func asStored() throws(FileError) -> BaseTensor {
    guard match.norm == nil else { return self }
    var stored = match
    stored.isTransposed = false
    return try BaseTensor(base, stored)
  }

  /// The whole weight, in the narrowest type that holds it exactly.
  func compact() throws(FileError) -> CompactMatrix {
    let format = try base.entry(match.tensor).elementType.format
    guard gains == nil, match.expert == nil, match.stacked.isEmpty, format != nil, format != .float64 else {
      return CompactMatrix(try rectangle(rows: 0..<rows, columns: 0..<columns))
    }
    let (rows, columns, values) = try base.readMatrix(match.tensor, as: Float.self)
    let stored = Matrix(rows: rows, columns: columns, elements: values)
    return CompactMatrix(match.isTransposed ? stored.transposedCopy() : stored)
  }

  /// ‖W‖_F in bounded memory.
  func frobeniusNorm() throws(FileError) -> Double {
    if gains == nil, match.expert == nil, match.stacked.isEmpty { return try base.frobeniusNorm(of: match.tensor) }
    var sum = 0.0
    let height = max(1, (1 << 17) / max(1, columns))
    for start in stride(from: 0, to: rows, by: height) {
      sum += try rectangle(rows: start..<min(start + height, rows), columns: 0..<columns).squaredNorm
    }
    return sum.squareRoot()
  }

  func rectangle(rows rowRange: Range<Int>, columns columnRange: Range<Int>) throws(FileError) -> Matrix<Double> {
    guard match.stacked.isEmpty else { return try stackedRectangle(rows: rowRange, columns: columnRange) }
    let (down, across) = match.isTransposed ? (columnRange, rowRange) : (rowRange, columnRange)
    let first = match.expert.map { $0 * (match.isTransposed ? columns : rows) } ?? 0
    let values = try base.finiteRectangle(
      match.tensor, rows: first + down.lowerBound..<first + down.upperBound, columns: across)
    let stored = Matrix(rows: down.count, columns: across.count, elements: values)
    var result = match.isTransposed ? stored.transposedCopy() : stored
    if let gains { result.scaleColumns(by: Array(gains[columnRange])) }
    return result
  }

  /// The rectangle of a weight that several tensors hold, one below the other.
  private func stackedRectangle(
    rows rowRange: Range<Int>, columns columnRange: Range<Int>
  ) throws(FileError) -> Matrix<Double> {
    var values: [Double] = []
    var first = 0
    for name in [match.tensor] + match.stacked {
      let height = try base.shape(of: name)[0]
      let part = rowRange.clamped(to: first..<first + height)
      if !part.isEmpty {
        values += try base.finiteRectangle(
          name, rows: part.lowerBound - first..<part.upperBound - first, columns: columnRange)
      }
      first += height
    }
    return Matrix(rows: rowRange.count, columns: columnRange.count, elements: values)
  }
}

extension BaseModel {
  /// The finite entries of a rectangle of a matrix in Float64, row by row.
  fileprivate func finiteRectangle(
    _ name: String, rows: Range<Int>, columns: Range<Int>
  ) throws(FileError) -> [Double] {
    let values = try readRectangle(name, rows: rows, columns: columns, as: Double.self)
    guard values.allSatisfy(\.isFinite) else {
      let path = try file(holding: name).path
      if let error = try countNonFinite(of: name).error(path: path, name: name) { throw error }
      throw FileError(
        .badContent, path: path, object: "tensor " + FileError.quoted(name), "its values change while it is read")
    }
    return values
  }
}
