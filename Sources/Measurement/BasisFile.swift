import Adapters
import Foundation
import LinearAlgebra
import OrderedCollections
import Spectra
import Weights

/// What tells, without reading it, that a weight is the one a basis was made of.
struct BasisIdentity: Equatable {
  /// The file, its size and time, the tensor's type, shape and place; the same of the norm in front of it.
  var text: String

  init(text: String) { self.text = text }

  init(of tensor: BaseTensor) throws(FileError) {
    let parts = try tensor.tensorNames.map { name throws(FileError) -> JSONValue in
      let file = try tensor.base.file(holding: name)
      let entry = try file.entry(name)
      let path = URL(fileURLWithPath: file.path).standardizedFileURL.resolvingSymlinksInPath().path
      return [
        "file": .string(path), "size": .integer(file.file.identity.size),
        "modified": .integer(file.file.identity.modificationTime), "tensor": .string(name),
        "dtype": .string(entry.elementType.rawValue), "shape": .array(entry.shape.map(JSONValue.integer)),
        "offset": .integer(entry.byteRange.lowerBound),
      ]
    }
    text = JSONValue.array(parts + (tensor.match.norm.map { [.number($0.offset)] } ?? [])).text()
  }
}

extension BaseTensor {
  /// The tensors that the weight is made of, scales of 8-bit numbers included.
  var tensorNames: [String] {
    let weights = [match.tensor] + match.stacked
    return weights + weights.compactMap { base.scaleName(of: $0) } + (match.norm.map { [$0.tensor] } ?? [])
  }

  /// A digest of their bytes and shapes; reads all of them, of a stack of experts the one.
  func sha256() throws(FileError) -> String {
    var digest = SHA256()
    for name in tensorNames {
      let file = try base.file(holding: name)
      let entry = try file.entry(name)
      digest.update(Array("\(entry.elementType.rawValue) \(entry.shape)\n".utf8))
      if name == match.tensor, let expert = match.expert, entry.strides == nil {
        let size = entry.byteRange.count / entry.shape[0]
        let first = entry.byteRange.lowerBound + expert * size
        try digest.update(first..<first + size, of: file.file)
      } else {
        try digest.update(name, of: file)
      }
    }
    if let norm = match.norm { digest.update(Array("\(norm.offset)".utf8)) }
    return digest.hexadecimal
  }
}

/// A basis in a file: the values, the vectors as rows, those of a whole side or the Gram factor as Float64 tensors, everything else in the metadata.
struct BasisFile {
  static let currentFormat = "spectroscope-basis 2"

  let format: String
  let identity: BasisIdentity
  let digest: String
  private let metadata: OrderedDictionary<String, String>
  private let source: Source

  private enum Source {
    case file(TensorFile)
    case computed(SpectralBasis)
  }

  /// Opens a file; its vectors are read by `basis()`.
  init(path: String) throws(FileError) {
    let file = try TensorFile(path: path)
    metadata = file.metadata
    format = metadata["format"] ?? ""
    identity = BasisIdentity(text: metadata["source"] ?? "")
    digest = metadata["sha256"] ?? ""
    source = .file(file)
  }

  init(_ basis: SpectralBasis, digest: String) {
    format = Self.currentFormat
    identity = BasisIdentity(text: "")
    self.digest = digest
    source = .computed(basis)
    metadata = [
      "rows": String(basis.rows), "columns": String(basis.columns), "leading": String(basis.leading),
      "trailing": String(basis.trailing), "frobenius_norm": "\(basis.frobeniusNorm)",
      "error_direct": "\(basis.error.direct)", "error_squared": "\(basis.error.squared)",
    ]
  }

  /// How many vectors of each end it holds.
  var counts: (leading: Int, trailing: Int) { (integer("leading"), integer("trailing")) }

  /// Not more than a dimension can be, so that sums of what a foreign file claims do not overflow.
  private func integer(_ name: String) -> Int { max(0, min(metadata[name].flatMap { Int($0) } ?? 0, 1 << 31)) }
  private func number(_ name: String) -> Double { metadata[name].flatMap { Double($0) } ?? .nan }

  /// Whether it has the vectors wanted of a weight.
  func holds(_ kept: KeptVectors, _ tensor: BaseTensor) -> Bool {
    let order = min(tensor.rows, tensor.columns)
    guard integer("rows") == tensor.rows, integer("columns") == tensor.columns else { return false }
    if counts.leading == order { return true }
    let wanted = kept.counts(rows: tensor.rows, columns: tensor.columns)
    guard holdsWholeSide || !kept.keepsWholeSide(rows: tensor.rows, columns: tensor.columns) else { return false }
    return counts.leading >= wanted.leading && counts.trailing >= wanted.trailing
  }

  private var holdsWholeSide: Bool {
    switch source {
    case .computed(let basis): basis.whole != nil
    case .file(let file): file.tensors["side"] != nil
    }
  }

  /// Reads the vectors.
  func basis() throws(FileError) -> SpectralBasis {
    switch source {
    case .computed(let basis): return basis
    case .file(let file):
      func matrix(_ name: String) throws(FileError) -> Matrix<Double> {
        let shape = try file.entry(name).shape
        guard shape.count == 2 else { throw broken(file, "expected a matrix \(name), found shape \(shape)") }
        return Matrix(rows: shape[0], columns: shape[1], elements: try file.readFinite(name, as: Double.self))
      }
      let (left, right) = (try matrix("left"), try matrix("right"))
      let values = try file.readFinite("singular_values", as: Double.self)
      let (rows, columns) = (integer("rows"), integer("columns"))
      let kept = counts.leading + counts.trailing
      guard left.columns == rows, right.columns == columns, left.rows == kept, right.rows == kept,
        values.count == min(rows, columns), kept <= values.count
      else { throw broken(file, "expected tensors of the sizes that its metadata states, found others") }
      let scales = ["frobenius_norm", "error_direct", "error_squared"].map(number)
      guard scales.allSatisfy({ $0 >= 0 && $0.isFinite }), values.allSatisfy({ $0 >= 0 }),
        zip(values, values.dropFirst()).allSatisfy({ $0 >= $1 })
      else { throw broken(file, "expected singular values in descending order, a norm and errors, found others") }
      let isTall = rows >= columns
      let side = try counts.leading == values.count ? (isTall ? right : left) : holdsWholeSide ? matrix("side") : nil
      guard side.map({ $0.rows == values.count && $0.columns == values.count }) ?? true else {
        throw broken(file, "expected all vectors of a side, \(values.count) of them, found \(side!.rows)")
      }
      let factor = file.tensors["gram_factor"] == nil ? nil : try file.readFinite("gram_factor", as: Double.self)
      guard factor.map({ $0.count == values.count * (values.count + 1) / 2 }) ?? true else {
        throw broken(file, "expected a triangle of order \(values.count), found \(factor!.count) numbers")
      }
      return SpectralBasis(
        rows: rows, columns: columns, values: values, leading: counts.leading, trailing: counts.trailing, left: left,
        right: right, whole: side.map { .init(side: isTall ? .right : .left, vectors: $0) }, gramFactor: factor,
        frobeniusNorm: number("frobenius_norm"),
        error: FrameError(direct: number("error_direct"), squared: number("error_squared")))
    }
  }

  private func broken(_ file: TensorFile, _ problem: String) -> FileError {
    FileError(.badContent, path: file.path, problem, remedy: "Remove the file; it is made anew")
  }

  /// Writes the file whole, as that of the weight with this identity.
  func write(to path: String, identity: BasisIdentity) throws(FileError) {
    let basis = try basis()
    var all = metadata
    all["format"] = Self.currentFormat
    all["source"] = identity.text
    all["sha256"] = digest
    all["created_by"] = "spectroscope \(programVersion)"
    var writer = SafetensorsWriter(metadata: all)
    writer.add("singular_values", shape: [basis.values.count], basis.values)
    for (name, vectors) in [("left", basis.left), ("right", basis.right)] {
      writer.add(name, shape: [vectors.rows, vectors.columns], vectors.elements)
    }
    if let whole = basis.whole, !basis.keepsAll {
      writer.add("side", shape: [whole.vectors.rows, whole.vectors.columns], whole.vectors.elements)
    }
    if let factor = basis.gramFactor { writer.add("gram_factor", shape: [factor.count], factor) }
    try writer.write(to: path)
  }
}

extension BasisFile {
  /// True for a folder whose safetensors files are bases; one of them speaks for all.
  static func isIn(folder: String, _ names: [String]) -> Bool {
    guard let first = names.filter({ $0.hasSuffix(".safetensors") }).min(),
      let file = try? BasisFile(path: folder + "/" + first)
    else { return false }
    return file.format == currentFormat
  }
}
