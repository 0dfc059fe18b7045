/// The 8-bit floating-point formats of quantised models. Alone they are no weights: a scale beside them makes them so.
package enum Float8Format: String, CaseIterable, Sendable {
  /// Four bits of exponent, three of fraction, no infinities.
  case e4m3 = "F8_E4M3"
  /// Five bits of exponent, two of fraction.
  case e5m2 = "F8_E5M2"

  /// The number that each of the 256 patterns stands for.
  package var values: [Float] {
    switch self {
    case .e4m3: Self.e4m3Values
    case .e5m2: Self.e5m2Values
    }
  }

  private static let e4m3Values = (0...UInt8.max).map { bits -> Float in
    guard bits & 0x7F != 0x7F else { return .nan }
    return value(bits, fractionBits: 3, bias: 7)
  }

  /// The upper half of float16.
  private static let e5m2Values = (0...UInt8.max).map { HalfBits.value(float16: UInt16($0) << 8) }

  private static func value(_ bits: UInt8, fractionBits: Int, bias: Int) -> Float {
    let exponent = Int(bits & 0x7F) >> fractionBits
    let fraction = Int(bits) & (1 << fractionBits - 1)
    let significand = Float(exponent == 0 ? fraction : fraction + 1 << fractionBits)
    return Float(
      sign: bits & 0x80 == 0 ? .plus : .minus, exponent: max(exponent, 1) - bias - fractionBits,
      significand: significand)
  }
}

/// A matrix of 8-bit numbers with its scales: weight = number × scale.
struct ScaledWeight {
  /// One scale for blocks of so many rows and columns, a row of blocks after the other.
  struct Scale {
    var rows: Int
    var columns: Int
    var columnCount: Int
    var values: [Double]
  }

  let file: TensorFile
  let entry: TensorEntry
  let grid: TensorGrid
  let format: Float8Format
  let scale: Scale

  var whole: Rectangle { Rectangle(rows: 0..<grid.rows, columns: 0..<grid.columns) }

  /// A part in row-major order.
  func read<Scalar: WeightScalar>(_ part: Rectangle, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    let bytes = try file.rectangleBytes(of: entry, grid, part)
    // Loops over plain types: one in generic code would not be specialised for callers in other modules.
    let values = scaled(bytes, part)
    if let values = values as? [Scalar] { return values }
    return values.map(Float.init) as? [Scalar] ?? values.map { Scalar($0) }
  }

  private func scaled(_ bytes: [UInt8], _ part: Rectangle) -> [Double] {
    let numbers = format.values.map(Double.init)
    var values: [Double] = []
    values.reserveCapacity(bytes.count)
    for (row, line) in part.rows.enumerated() where !part.columns.isEmpty {
      let scales = line / scale.rows * scale.columnCount
      let start = row * part.columns.count
      for (index, column) in part.columns.enumerated() {
        values.append(numbers[Int(bytes[start + index])] * scale.values[scales + column / scale.columns])
      }
    }
    return values
  }

  /// ‖W‖_F, a few rows at a time; throws `.nonFinite` when a value is NaN or infinite.
  func frobeniusNorm() throws(FileError) -> Double {
    var sum = ScaledSumOfSquares()
    var found = NonFiniteCount(total: entry.elementCount)
    try forEachBlock { block, offset in
      if !sum.add(block) { found.add(block, from: offset) }
    }
    if let error = found.error(path: file.path, name: entry.name) { throw error }
    return sum.squareRoot
  }

  /// Counts NaN and infinities, a few rows at a time.
  func countNonFinite() throws(FileError) -> NonFiniteCount {
    var found = NonFiniteCount(total: entry.elementCount)
    try forEachBlock { block, offset in found.add(block, from: offset) }
    return found
  }

  private func forEachBlock(_ body: (UnsafeBufferPointer<Double>, _ offset: Int) -> Void) throws(FileError) {
    let step = max(1, TensorBlocks<Double>.defaultLength / max(grid.columns, 1))
    for start in stride(from: 0, to: grid.rows, by: step) {
      let rows = start..<min(start + step, grid.rows)
      let values = try read(Rectangle(rows: rows, columns: 0..<grid.columns), as: Double.self)
      values.withUnsafeBufferPointer { body($0, start * grid.columns) }
    }
  }
}

// MARK: - Finding the scales

extension BaseModel {
  /// The tensor of scales that belongs to a weight: DeepSeek's and transformers' name, or that of compressed-tensors.
  package func scaleName(of name: String) -> String? {
    ["_scale_inv", "_scale"].lazy.map { name + $0 }.first(where: contains)
  }

  /// A tensor of 8-bit numbers with its scales, or nil for a tensor of any other type. Throws `.badContent` where there
  /// is no scale, or none that fits.
  func scaledWeight(_ name: String) throws(FileError) -> ScaledWeight? {
    let file = try file(holding: name)
    let entry = try file.entry(name)
    guard let format = Float8Format(rawValue: entry.elementType.rawValue) else { return nil }
    guard let scaleName = scaleName(of: name) else {
      throw FileError(
        .badContent, path: file.path, object: entry.object,
        "expected a scale \(FileError.quoted(name + "_scale_inv")) or \(FileError.quoted(name + "_scale")) beside "
          + "8-bit numbers (\(entry.elementType)), found none",
        remedy: "Pass the whole model, or one in 16 bits")
    }
    let grid = try entry.matrix(path: file.path)
    let scale = try scale(scaleName, of: grid)
    return ScaledWeight(file: file, entry: entry, grid: grid, format: format, scale: scale)
  }

  /// One scale for the whole matrix, one for each row, or one for each block.
  private func scale(_ name: String, of grid: TensorGrid) throws(FileError) -> ScaledWeight.Scale {
    let file = try file(holding: name)
    let shape = try file.entry(name).shape
    let (block, length) = (scaleBlock, shape.reduce(1, *))
    let blocks = [divided(grid.rows, by: block.rows), divided(grid.columns, by: block.columns)]
    let form: (rows: Int, columns: Int, columnCount: Int)
    if length == 1 {
      form = (max(grid.rows, 1), max(grid.columns, 1), 1)
    } else if shape == [grid.rows] || shape == [grid.rows, 1] {
      form = (1, max(grid.columns, 1), 1)
    } else if shape == blocks {
      form = (block.rows, block.columns, blocks[1])
    } else {
      throw FileError(
        .badContent, path: file.path, object: "tensor " + FileError.quoted(name),
        "expected one scale, one for each of \(grid.rows) rows, or one for each block of \(block.rows) × "
          + "\(block.columns) (shape \(blocks)), found shape \(shape)",
        remedy: "Pass the same model in 16 bits")
    }
    let values = try file.read(name, as: Double.self)
    return ScaledWeight.Scale(rows: form.rows, columns: form.columns, columnCount: form.columnCount, values: values)
  }

  private func divided(_ length: Int, by size: Int) -> Int { length / size + (length % size == 0 ? 0 : 1) }
}
