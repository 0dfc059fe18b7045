/// Rows and columns of a matrix.
struct Rectangle {
  var rows: Range<Int>
  var columns: Range<Int>

  var count: Int { rows.count * columns.count }
}

extension TensorFile {
  /// Rows of a tensor in row-major order: of a matrix, or of any tensor cut along its first axis.
  ///
  /// `rows` must lie within the first axis. Reads no more than these rows, except from views of three and more axes.
  package func readRows<Scalar: WeightScalar>(
    _ name: String, rows: Range<Int>, as type: Scalar.Type
  ) throws(FileError) -> [Scalar] {
    let entry = try entry(name)
    let format = try format(of: entry)
    guard let grid = entry.grid else {
      let width = entry.shape.dropFirst().reduce(format.bytes, *)
      return Scalar.decoded(try gather(entry)[rows.lowerBound * width..<rows.upperBound * width], of: format)
    }
    return Scalar.decoded(
      try rectangleBytes(of: entry, grid, Rectangle(rows: rows, columns: 0..<grid.columns))[...], of: format)
  }

  /// A part of a matrix in row-major order, both ranges within its shape; a tensor of more axes is a stack of matrices
  /// here, such as those of experts, whose rows are counted on from one to the next. Throws `.badContent` for a tensor of
  /// fewer axes. Where columns are left out, every row is read by itself, so that memory stays bounded by the part.
  package func readRectangle<Scalar: WeightScalar>(
    _ name: String, rows: Range<Int>, columns: Range<Int>, as type: Scalar.Type
  ) throws(FileError) -> [Scalar] {
    let entry = try entry(name)
    let format = try format(of: entry)
    let part = Rectangle(rows: rows, columns: columns)
    if let stack = try entry.stack(path: path) {
      return Scalar.decoded(try rectangleBytes(of: entry, stack, part)[...], of: format)
    }
    let (bytes, length) = (try gather(entry), entry.shape[entry.shape.count - 1] * format.bytes)
    var lines: [UInt8] = []
    for row in rows {
      let line = row * length
      lines += bytes[line + columns.lowerBound * format.bytes..<line + columns.upperBound * format.bytes]
    }
    return Scalar.decoded(lines[...], of: format)
  }

  /// The bytes of a part of a matrix whose elements take whole bytes.
  func rectangleBytes(
    of entry: TensorEntry, _ grid: TensorGrid, _ part: Rectangle
  ) throws(FileError) -> [UInt8] {
    precondition(part.rows.lowerBound >= 0 && part.rows.upperBound <= grid.rows, "rows outside of \(entry.name)")
    precondition(
      part.columns.lowerBound >= 0 && part.columns.upperBound <= grid.columns, "columns outside of \(entry.name)")
    guard part.count > 0, let bits = entry.elementType.bits else { return [] }
    let width = bits / 8
    let start = entry.byteRange.lowerBound
    if grid.rowStride == grid.columns, grid.columnStride == 1, part.columns.count == grid.columns {
      return try file.read(part.count * width, at: start + part.rows.lowerBound * grid.columns * width)
    }
    if grid.columnStride == 1 || grid.rowStride != 1 {
      return try lines(
        part.rows, of: grid.rowStride, elements: part.columns, of: grid.columnStride, width: width, at: start)
    }
    let columns = try lines(
      part.columns, of: grid.columnStride, elements: part.rows, of: grid.rowStride, width: width, at: start)
    return transposed(columns, rows: part.columns.count, columns: part.rows.count, width: width)
  }

  /// The elements of parallel lines, one line after the other. A line is read in one piece, with the holes in it; where
  /// the holes of the lines overlap, all lines are.
  private func lines(
    _ lines: Range<Int>, of lineStride: Int, elements: Range<Int>, of stride: Int, width: Int, at start: Int
  ) throws(FileError) -> [UInt8] {
    let first = start + (lines.lowerBound * lineStride + elements.lowerBound * stride) * width
    let lineSpan = (elements.count - 1) * stride + 1
    let span = (lines.count - 1) * lineStride + lineSpan
    let all = lineSpan > span / lines.count ? try file.read(span * width, at: first) : nil
    var bytes = [UInt8](repeating: 0, count: lines.count * elements.count * width)
    let length = elements.count * width
    for line in 0..<lines.count {
      let offset = line * lineStride * width
      let source =
        if let all { all[offset..<offset + lineSpan * width] } else {
          try file.read(lineSpan * width, at: first + offset)[...]
        }
      bytes.withUnsafeMutableBytes { target in
        source.withUnsafeBytes { source in
          let target = UnsafeMutableRawBufferPointer(rebasing: target[line * length..<(line + 1) * length])
          copy(source, stride: stride * width, into: target, stride: width, count: elements.count, width: width)
        }
      }
    }
    return bytes
  }

  /// All elements of a view, in row-major order.
  func gather(_ entry: TensorEntry) throws(FileError) -> [UInt8] {
    if let grid = entry.grid {
      return try rectangleBytes(
        of: entry, grid, Rectangle(rows: 0..<grid.rows, columns: 0..<grid.columns))
    }
    guard let strides = entry.strides, let bits = entry.elementType.bits, let length = entry.shape.last else {
      return []
    }
    let width = bits / 8
    let span = try file.read(entry.byteRange.count, at: entry.byteRange.lowerBound)
    var bytes = [UInt8](repeating: 0, count: entry.byteCount)
    var index = [Int](repeating: 0, count: entry.shape.count)
    for start in Swift.stride(from: 0, to: bytes.count, by: length * width) {
      let offset = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 } * width
      bytes.withUnsafeMutableBytes { target in
        span.withUnsafeBytes { span in
          let line = UnsafeMutableRawBufferPointer(rebasing: target[start..<start + length * width])
          let source = UnsafeRawBufferPointer(rebasing: span[offset...])
          copy(
            source, stride: strides[strides.count - 1] * width, into: line, stride: width, count: length, width: width)
        }
      }
      Self.advance(&index, within: entry.shape)
    }
    return bytes
  }

  /// Moves an index on by one along all axes but the last.
  private static func advance(_ index: inout [Int], within shape: [Int]) {
    for axis in shape.indices.dropLast().reversed() {
      index[axis] += 1
      if index[axis] < shape[axis] { return }
      index[axis] = 0
    }
  }
}

/// A tensor as a matrix: a step along each axis, in elements.
struct TensorGrid {
  let rows: Int
  let columns: Int
  let rowStride: Int
  let columnStride: Int
}

extension TensorEntry {
  /// The tensor cut along its first axis; nil for a view of three and more axes.
  var grid: TensorGrid? {
    let rows = shape.first ?? 1
    guard let strides else {
      let columns = shape.count == 2 ? shape[1] : shape.contains(0) ? 0 : shape.dropFirst().reduce(1, *)
      return TensorGrid(rows: rows, columns: columns, rowStride: columns, columnStride: 1)
    }
    switch shape.count {
    case 1: return TensorGrid(rows: rows, columns: 1, rowStride: strides[0], columnStride: 1)
    case 2: return TensorGrid(rows: rows, columns: shape[1], rowStride: strides[0], columnStride: strides[1])
    default: return nil
    }
  }

  /// The matrices of a tensor one below the other; nil for a view of three and more axes. Throws `.badContent` where it
  /// has fewer than two axes.
  func stack(path: String) throws(FileError) -> TensorGrid? {
    guard shape.count > 2 else { return try matrix(path: path) }
    guard strides == nil, let columns = shape.last else { return nil }
    let rows = shape.contains(0) ? 0 : shape.dropLast().reduce(1, *)
    return TensorGrid(rows: rows, columns: columns, rowStride: columns, columnStride: 1)
  }

  /// The tensor as the matrix that it is; throws `.badContent` where it has not two axes.
  func matrix(path: String) throws(FileError) -> TensorGrid {
    guard shape.count == 2, let grid else {
      throw FileError(.badContent, path: path, object: object, "expected a matrix, found shape \(shape)")
    }
    return grid
  }
}

extension WeightScalar {
  /// The values of stored elements.
  static func decoded(_ bytes: ArraySlice<UInt8>, of format: FloatFormat) -> [Self] {
    let count = bytes.count / format.bytes
    return [Self](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      bytes.withUnsafeBytes { decode($0, of: format, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count])) }
      initializedCount = count
    }
  }
}

/// The same matrix column by column.
private func transposed(_ bytes: [UInt8], rows: Int, columns: Int, width: Int) -> [UInt8] {
  var result = [UInt8](repeating: 0, count: bytes.count)
  result.withUnsafeMutableBytes { target in
    bytes.withUnsafeBytes { source in
      for row in 0..<rows {
        let line = UnsafeRawBufferPointer(rebasing: source[row * columns * width..<(row + 1) * columns * width])
        let start = UnsafeMutableRawBufferPointer(rebasing: target[(row * width)...])
        copy(line, stride: width, into: start, stride: rows * width, count: columns, width: width)
      }
    }
  }
  return result
}

/// Copies elements between places that lie `stride` bytes apart.
private func copy(
  _ source: UnsafeRawBufferPointer, stride sourceStride: Int, into target: UnsafeMutableRawBufferPointer,
  stride targetStride: Int, count: Int, width: Int
) {
  func move<Bits: BitwiseCopyable>(_: Bits.Type) {
    for index in 0..<count {
      let bits = source.loadUnaligned(fromByteOffset: index * sourceStride, as: Bits.self)
      target.storeBytes(of: bits, toByteOffset: index * targetStride, as: Bits.self)
    }
  }
  switch width {
  case 1: move(UInt8.self)
  case 2: move(UInt16.self)
  case 4: move(UInt32.self)
  default: move(UInt64.self)
  }
}
