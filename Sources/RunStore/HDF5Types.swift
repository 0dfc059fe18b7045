internal import CHDF5
import Weights

/// A number that can be an element of a dataset or the value of an attribute.
package protocol HDF5Number: BitwiseCopyable, Sendable {
  /// Which of HDF5's types holds it.
  static var hdf5Type: HDF5NumberType { get }
  /// What buffers are filled with before reading.
  static var zero: Self { get }
}

/// The number types that our files use; little-endian in the file on every machine.
package enum HDF5NumberType: Sendable {
  case float32, float64, int64

  var inMemory: hid_t {
    switch self {
    case .float32: h5_native_float()
    case .float64: h5_native_double()
    case .int64: h5_native_int64()
    }
  }

  var inFile: hid_t {
    switch self {
    case .float32: h5_file_float()
    case .float64: h5_file_double()
    case .int64: h5_file_int64()
    }
  }
}

extension Float: HDF5Number {
  package static var hdf5Type: HDF5NumberType { .float32 }
}

extension Double: HDF5Number {
  package static var hdf5Type: HDF5NumberType { .float64 }
}

extension Int: HDF5Number {
  package static var hdf5Type: HDF5NumberType { .int64 }
}

extension HDF5Location {
  /// A UTF-8 string type of `size` bytes padded with zeros, or of variable length where `size` is nil.
  func stringType(size: Int?) throws(FileError) -> HDF5Handle {
    let type = try HDF5Handle(H5Tcopy(h5_c_string()), at: self, "copy the string type", release: H5Tclose)
    try check(H5Tset_size(type.id, size ?? h5_variable_length()), "set the string size")
    try check(H5Tset_cset(type.id, H5T_CSET_UTF8), "set the character set")
    if size != nil { try check(H5Tset_strpad(type.id, H5T_STR_NULLPAD), "set the padding") }
    return type
  }

  /// A space of fixed extent; a scalar one for an empty shape.
  func space(_ shape: [Int]) throws(FileError) -> HDF5Handle {
    let extents = shape.map { hsize_t($0) }
    let id = shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), extents, nil)
    return try HDF5Handle(id, at: self, "make a space of shape \(shape)", release: H5Sclose)
  }

  /// The bytes of strings that a file can hold; zero bytes would end them early.
  func bytes(of strings: [String]) throws(FileError) -> [[UInt8]] {
    let bytes = strings.map { Array($0.utf8) }
    guard !bytes.joined().contains(0) else {
      throw error("expected text without zero bytes, found one", remedy: "Rename it in its source")
    }
    return bytes
  }
}
