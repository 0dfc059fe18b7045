internal import CHDF5
import Weights

/// What the elements of a dataset or attribute are, as far as we read it.
struct HDF5ElementType: ~Copyable {
  enum Kind: Equatable {
    case integer, floatingPoint, fixedText, variableText, other

    var name: String {
      switch self {
      case .integer: "integers"
      case .floatingPoint: "floating-point numbers"
      case .fixedText: "text"
      case .variableText: "text of variable length"
      case .other: "elements of another type"
      }
    }
  }

  let kind: Kind
  /// Bytes an element.
  let size: Int
  private let type: HDF5Handle

  /// Takes over the identifier of a type.
  init(of id: hid_t, at location: HDF5Location) throws(FileError) {
    type = try HDF5Handle(id, at: location, "read the type", release: H5Tclose)
    size = H5Tget_size(type.id)
    let isUsualSize = [1, 2, 4, 8].contains(size)
    switch H5Tget_class(type.id) {
    case H5T_INTEGER where isUsualSize: kind = .integer
    case H5T_FLOAT where isUsualSize: kind = .floatingPoint
    case H5T_STRING: kind = H5Tis_variable_str(type.id) > 0 ? .variableText : size > 0 ? .fixedText : .other
    default: kind = .other
    }
  }

  /// Integers become floating-point numbers where those are asked for; nothing becomes an integer.
  func requireReadable<Number: HDF5Number>(as: Number.Type, at location: HDF5Location) throws(FileError) {
    let wantsInteger = Number.hdf5Type == .int64
    guard kind == .integer || (!wantsInteger && kind == .floatingPoint) else {
      throw location.error("expected \(wantsInteger ? "integers" : "numbers"), found \(kind.name)")
    }
  }

  /// The type in memory for this fixed-length text: the same, but padded with zeros, whatever it is in the file.
  func paddedText(at location: HDF5Location) throws(FileError) -> HDF5Handle {
    let memory = try HDF5Handle(H5Tcopy(type.id), at: location, "copy the type", release: H5Tclose)
    try location.check(H5Tset_strpad(memory.id, H5T_STR_NULLPAD), "set the padding")
    return memory
  }
}

extension HDF5Location {
  /// Beyond any use of ours, below HDF5's own limit of 32.
  static let maximumRank = 8

  /// Takes over the identifier of a space and gives its extents.
  func shape(_ id: hid_t) throws(FileError) -> [Int] {
    let space = try HDF5Handle(id, at: self, "read the extent", release: H5Sclose)
    guard H5Sget_simple_extent_type(space.id) != H5S_NULL else { throw error("expected values, found none") }
    let rank = try check(H5Sget_simple_extent_ndims(space.id), "read the rank")
    guard rank <= Self.maximumRank else { throw error("expected at most rank \(Self.maximumRank), found \(rank)") }
    var extents = [hsize_t](repeating: 0, count: Int(rank))
    try check(H5Sget_simple_extent_dims(space.id, &extents, nil), "read the extents")
    _ = try product(extents)
    return extents.map { Int($0) }
  }

  /// Takes over the identifier of a space and gives its number of elements, at most `limit`.
  func elementCount(_ id: hid_t, limit: Int) throws(FileError) -> Int {
    let count = try shape(id).reduce(1, *)
    guard count <= limit else { throw error("expected at most \(limit) value(s), found \(count)") }
    return count
  }

  /// The product of extents. Each of them must fit as well: one extent may be 0 and another absurd.
  func product(_ extents: some Sequence<hsize_t>) throws(FileError) -> Int {
    var product = 1
    for extent in extents {
      let (next, overflow) = product.multipliedReportingOverflow(by: Int(clamping: extent))
      guard !overflow, extent <= hsize_t(Int.max) else { throw error("expected a size in range, found an overflow") }
      product = next
    }
    return product
  }

  /// Refuses a claim of `count` elements that the file cannot hold.
  func require(_ count: Int, of size: Int, atMost limit: Int) throws(FileError) {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
    guard !overflow, bytes <= limit else {
      throw error(
        "expected at most \(limit) bytes, as much as the file holds, "
          + "found a claim of \(count) elements of \(size) bytes",
        remedy: "The file is damaged or not fully written; write it again")
    }
  }

  /// Cuts zero-padded bytes into texts.
  func texts(_ bytes: [UInt8], length: Int) throws(FileError) -> [String] {
    try stride(from: 0, to: bytes.count, by: length).map { start throws(FileError) in
      let slot = bytes[start..<start + length]
      let end = slot.lastIndex { $0 != 0 }.map { $0 + 1 } ?? start
      guard let text = String(validating: bytes[start..<end], as: UTF8.self) else {
        throw error("expected UTF-8, found other bytes")
      }
      return text
    }
  }
}
