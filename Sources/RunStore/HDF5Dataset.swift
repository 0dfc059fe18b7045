internal import CHDF5
import Weights

/// An open dataset.
///
/// Reading trusts nothing that the file claims: before memory is taken, the claimed size is held against the bytes that
/// are stored, and storage outside the file, unknown filters and element types we do not use are refused.
package struct HDF5Dataset: ~Copyable, HDF5Object {
  private let handle: HDF5Handle
  package var location: HDF5Location { handle.location }

  init(_ handle: consuming HDF5Handle) {
    self.handle = handle
  }

  /// The extents, empty for a scalar. Throws beyond rank 8 or when their product overflows.
  package func shape() throws(FileError) -> [Int] {
    try withHDF5 { () throws(FileError) in try location.shape(H5Dget_space(location.id)) }
  }

  /// All numbers in row-major order. Integers may be read as floating-point numbers, not the other way round.
  package func read<Number: HDF5Number>(as: Number.Type = Number.self) throws(FileError) -> [Number] {
    try withHDF5 { () throws(FileError) in
      let type = try HDF5ElementType(of: H5Dget_type(location.id), at: location)
      try type.requireReadable(as: Number.self, at: location)
      let count = try requireStored(type)
      var values = [Number](repeating: .zero, count: count)
      if count > 0 { try read(into: &values, type: Number.hdf5Type.inMemory) }
      return values
    }
  }

  /// All strings of a dataset of fixed-length text, a single one for a scalar. Throws where they are not UTF-8.
  package func readTexts() throws(FileError) -> [String] {
    try withHDF5 { () throws(FileError) in
      let type = try HDF5ElementType(of: H5Dget_type(location.id), at: location)
      guard type.kind == .fixedText else {
        throw location.error("expected text of fixed length, found \(type.kind.name)")
      }
      let count = try requireStored(type)
      let memory = try type.paddedText(at: location)
      var bytes = [UInt8](repeating: 0, count: count * type.size)
      if count > 0 { try read(into: &bytes, type: memory.id) }
      return try location.texts(bytes, length: type.size)
    }
  }

  private func read<Element: BitwiseCopyable>(into values: inout [Element], type: hid_t) throws(FileError) {
    try location.check(H5Dread(location.id, type, h5_all, h5_all, h5_default, &values), "read")
  }

  /// The number of elements, once it is known that the file really holds them, in a way we read.
  private func requireStored(_ type: borrowing HDF5ElementType) throws(FileError) -> Int {
    let creation = try HDF5Handle(
      H5Dget_create_plist(location.id), at: location, "read the layout", release: H5Pclose)
    try requireOwnStorage(creation.id)
    try requireKnownFilters(creation.id)
    let count = try location.elementCount(H5Dget_space(location.id), limit: .max)
    let stored = H5Dget_storage_size(location.id)
    var fileSize: hsize_t = 0
    let file = try HDF5Handle(H5Iget_file_id(location.id), at: location, "find the file", release: H5Fclose)
    try location.check(H5Fget_filesize(file.id, &fileSize), "read the file's size")
    guard stored <= fileSize else {
      throw location.error("expected at most the file's \(fileSize) bytes, found a claim of \(stored)")
    }
    // Deflate cannot make data smaller than by 1 : 1032; without a filter there is nothing to gain.
    let limit = Int(stored) * (H5Pget_nfilters(creation.id) > 0 ? 1032 : 1)
    try location.require(count, of: type.size, atMost: limit)
    try requireChunks(creation.id, elementSize: type.size, atMost: limit)
    return count
  }

  private func requireOwnStorage(_ creation: hid_t) throws(FileError) {
    guard H5Pget_layout(creation) != H5D_VIRTUAL, H5Pget_external_count(creation) == 0 else {
      throw location.error(
        "expected data stored in this file, found storage in other files", remedy: "Copy the data into the file")
    }
  }

  private func requireKnownFilters(_ creation: hid_t) throws(FileError) {
    for index in 0..<max(0, H5Pget_nfilters(creation)) {
      var (flags, parameters, configuration): (UInt32, Int, UInt32) = (0, 0, 0)
      let filter = H5Pget_filter2(creation, UInt32(index), &flags, &parameters, nil, 0, nil, &configuration)
      guard [H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32].contains(filter) else {
        throw location.error(
          "expected no filter, or deflate, shuffle or fletcher32, found filter \(filter)",
          remedy: "Rewrite the file without compression (h5repack -f NONE)")
      }
    }
  }

  /// HDF5 takes the memory of a whole chunk, which may claim more than the dataset.
  private func requireChunks(_ creation: hid_t, elementSize: Int, atMost limit: Int) throws(FileError) {
    guard H5Pget_layout(creation) == H5D_CHUNKED else { return }
    var extents = [hsize_t](repeating: 0, count: HDF5Location.maximumRank)
    let rank = try location.check(H5Pget_chunk(creation, Int32(extents.count), &extents), "read the chunk's extent")
    let count = try location.product(extents.prefix(Int(rank)))
    if limit > 0 { try location.require(count, of: elementSize, atMost: limit) }
  }
}
