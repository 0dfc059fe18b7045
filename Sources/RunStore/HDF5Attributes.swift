internal import CHDF5
import Weights

// Text attributes are of variable length, because h5py gives these as `str` and fixed ones as `bytes`.

extension HDF5Object where Self: ~Copyable {
  /// Writes a text attribute.
  package func setAttribute(_ name: String, _ value: String) throws(FileError) {
    try writeText([value], shape: [], named: name)
  }

  /// Writes a list of texts as an attribute.
  package func setAttribute(_ name: String, _ values: [String]) throws(FileError) {
    try writeText(values, shape: [values.count], named: name)
  }

  /// Writes a number as a scalar attribute.
  package func setAttribute<Number: HDF5Number>(_ name: String, _ value: Number) throws(FileError) {
    try withHDF5 { () throws(FileError) in
      let attribute = try createAttribute(name, type: Number.hdf5Type.inFile, shape: [])
      let status = withUnsafeBytes(of: value) { H5Awrite(attribute.id, Number.hdf5Type.inMemory, $0.baseAddress) }
      try attribute.location.check(status, "write")
    }
  }

  /// Whether there is an attribute of this name.
  package func hasAttribute(_ name: String) throws(FileError) -> Bool {
    try withHDF5 { () throws(FileError) in
      try location.check(H5Aexists(location.id, name), "look up the attribute '\(name)'") > 0
    }
  }

  /// A scalar text attribute; nil when there is none. Throws when it is of another kind.
  package func text(_ name: String) throws(FileError) -> String? {
    guard let values = try texts(name) else { return nil }
    guard values.count == 1 else {
      throw location.attribute(name).error("expected one text, found \(values.count)")
    }
    return values[0]
  }

  /// The texts of an attribute, of fixed or variable length; nil when there is none. Throws when it is of another kind.
  package func texts(_ name: String) throws(FileError) -> [String]? {
    try withHDF5 { () throws(FileError) in
      guard try hasAttribute(name) else { return nil }
      let attribute = try openAttribute(name)
      let type = try HDF5ElementType(of: H5Aget_type(attribute.id), at: attribute.location)
      let count = try attribute.location.elementCount(H5Aget_space(attribute.id), limit: 256)
      switch type.kind {
      case .fixedText: return try fixedTexts(attribute, type: type, count: count)
      case .variableText: return try variableTexts(attribute, count: count)
      default: throw attribute.location.error("expected text, found \(type.kind.name)")
      }
    }
  }

  /// A scalar number attribute; nil when there is none. Throws when it is of another kind; an integer may be read as
  /// a floating-point number, not the other way round.
  package func number<Number: HDF5Number>(
    _ name: String, as: Number.Type = Number.self
  ) throws(FileError) -> Number? {
    try withHDF5 { () throws(FileError) in
      guard try hasAttribute(name) else { return nil }
      let attribute = try openAttribute(name)
      let type = try HDF5ElementType(of: H5Aget_type(attribute.id), at: attribute.location)
      try type.requireReadable(as: Number.self, at: attribute.location)
      _ = try attribute.location.elementCount(H5Aget_space(attribute.id), limit: 1)
      var value = Number.zero
      try attribute.location.check(H5Aread(attribute.id, Number.hdf5Type.inMemory, &value), "read")
      return value
    }
  }

  private func writeText(_ values: [String], shape: [Int], named name: String) throws(FileError) {
    let place = location.attribute(name)
    var bytes: [UInt8] = []
    var starts: [Int] = []
    for value in try place.bytes(of: values) {
      starts.append(bytes.count)
      bytes += value + [0]
    }
    try withHDF5 { () throws(FileError) in
      let type = try place.stringType(size: nil)
      let attribute = try createAttribute(name, type: type.id, shape: shape)
      let status = bytes.withUnsafeBytes { text in
        H5Awrite(attribute.id, type.id, starts.map { text.baseAddress! + $0 })
      }
      try place.check(status, "write")
    }
  }

  private func createAttribute(_ name: String, type: hid_t, shape: [Int]) throws(FileError) -> HDF5Handle {
    let place = location.attribute(name)
    let space = try place.space(shape)
    let id = H5Acreate2(location.id, name, type, space.id, h5_default, h5_default)
    return try HDF5Handle(id, at: place, "create the attribute", release: H5Aclose)
  }

  private func openAttribute(_ name: String) throws(FileError) -> HDF5Handle {
    let id = H5Aopen(location.id, name, h5_default)
    return try HDF5Handle(id, at: location.attribute(name), "open the attribute", release: H5Aclose)
  }

  private func fixedTexts(
    _ attribute: borrowing HDF5Handle, type: borrowing HDF5ElementType, count: Int
  ) throws(FileError) -> [String] {
    let place = attribute.location
    let memory = try type.paddedText(at: place)
    try place.require(count, of: type.size, atMost: Int(clamping: H5Aget_storage_size(attribute.id)))
    var bytes = [UInt8](repeating: 0, count: count * type.size)
    try place.check(H5Aread(attribute.id, memory.id, &bytes), "read")
    return try place.texts(bytes, length: type.size)
  }

  private func variableTexts(_ attribute: borrowing HDF5Handle, count: Int) throws(FileError) -> [String] {
    let place = attribute.location
    let type = try place.stringType(size: nil)
    let space = try HDF5Handle(H5Aget_space(attribute.id), at: place, "read the extent", release: H5Sclose)
    var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
    // HDF5 converts between character sets of variable-length text only where they agree.
    let stored = try HDF5Handle(H5Aget_type(attribute.id), at: place, "read the type", release: H5Tclose)
    try place.check(H5Tset_cset(type.id, H5Tget_cset(stored.id)), "set the character set")
    try place.check(H5Aread(attribute.id, type.id, &pointers), "read")
    let texts = pointers.map { $0.map { String(validatingCString: $0) } ?? "" }
    try place.check(H5Dvlen_reclaim(type.id, space.id, h5_default, &pointers), "free")
    return try texts.map { text throws(FileError) in
      guard let text else { throw place.error("expected UTF-8, found other bytes") }
      return text
    }
  }
}

extension HDF5Location {
  /// An attribute of this object, for messages: `/group@name`.
  fileprivate func attribute(_ name: String) -> HDF5Location {
    HDF5Location(id: h5_no_id, path: path, object: "\(object)@\(name)", failure: failure)
  }
}
