import Weights

/// An array as NumPy's `.npy` files have it, version 1.0: a header that says type and shape, and the elements in row-major order.
struct NumPyArray {
  private static let magic: [UInt8] = [0x93] + [UInt8]("NUMPY".utf8) + [1, 0]
  /// Elements begin at a multiple of this.
  private static let alignment = 64

  private let type: String
  private let shape: [Int]
  private let elements: [UInt8]

  /// Numbers as float64, NaN in place of infinities, which are missing in the other formats too.
  init(_ values: [Double], shape: [Int]) {
    var elements: [UInt8] = []
    elements.append(littleEndian: values.map { $0.isFinite ? $0 : .nan })
    self.init(type: "<f8", shape: shape, elements: elements)
  }

  /// Whole numbers as int64.
  init(_ values: [Int]) {
    var elements: [UInt8] = []
    elements.append(littleEndian: values.map(Int64.init))
    self.init(type: "<i8", shape: [values.count], elements: elements)
  }

  /// Texts as Unicode of the length of the longest; NumPy needs no pickle for these.
  init(_ texts: [String], shape: [Int]) {
    let width = max(1, texts.map(\.unicodeScalars.count).max() ?? 1)
    var elements: [UInt8] = []
    for text in texts {
      for scalar in text.unicodeScalars { elements.append(littleEndian: scalar.value) }
      elements += repeatElement(0, count: 4 * (width - text.unicodeScalars.count))
    }
    self.init(type: "<U\(width)", shape: shape, elements: elements)
  }

  private init(type: String, shape: [Int], elements: [UInt8]) {
    (self.type, self.shape, self.elements) = (type, shape, elements)
  }

  /// The file.
  var bytes: [UInt8] {
    // A tuple of Python: of one element with a comma.
    let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = [UInt8]("{'descr': '\(type)', 'fortran_order': False, 'shape': (\(extents)), }".utf8)
    let unpadded = Self.magic.count + 2 + header.count + 1
    header += repeatElement(UInt8(ascii: " "), count: (Self.alignment - unpadded % Self.alignment) % Self.alignment)
    header.append(UInt8(ascii: "\n"))
    var bytes = Self.magic
    bytes.append(littleEndian: UInt16(header.count))
    return bytes + header + elements
  }
}
