internal import CHDF5
import Weights

// Datasets are contiguous and not compressed: every reader can map them, and weights hardly compress. They carry no
// time stamps, so that equal content makes equal files.

extension HDF5Group {
  /// Writes numbers as a dataset; `values` are in row-major order of `shape`, whose product is their count.
  @discardableResult
  package func write<Number: HDF5Number>(
    _ values: [Number], shape: [Int], named name: String
  ) throws(FileError) -> HDF5Dataset {
    precondition(shape.reduce(1, *) == values.count, "\(values.count) values do not make shape \(shape)")
    return try withHDF5 { () throws(FileError) in
      let dataset = try createDataset(name, type: Number.hdf5Type.inFile, shape: shape)
      let status = values.withUnsafeBytes { dataset.fill($0, type: Number.hdf5Type.inMemory) }
      try dataset.location.check(status, "write")
      return dataset
    }
  }

  /// Writes strings as a dataset of fixed-length UTF-8, padded with zeros, in row-major order of `shape`; a list without one.
  ///
  /// It carries netCDF's `_Encoding`, by which xarray gives labels as text. The length is at least 2, because xarray
  /// joins strings of length 1 into one.
  @discardableResult
  package func write(
    _ strings: [String], shape: [Int]? = nil, named name: String
  ) throws(FileError) -> HDF5Dataset {
    let shape = shape ?? [strings.count]
    precondition(shape.reduce(1, *) == strings.count, "\(strings.count) strings do not make shape \(shape)")
    let dataset = try writeStrings(strings, shape: shape, minimumLength: 2, named: name)
    try dataset.setAttribute("_Encoding", "utf-8")
    return dataset
  }

  /// Writes a text, such as a JSON document, as a scalar dataset of fixed-length UTF-8.
  @discardableResult
  package func write(text: String, named name: String) throws(FileError) -> HDF5Dataset {
    let dataset = try writeStrings([text], shape: [], minimumLength: 1, named: name)
    try dataset.setAttribute("_Encoding", "utf-8")
    return dataset
  }

  private func writeStrings(
    _ strings: [String], shape: [Int], minimumLength: Int, named name: String
  ) throws(FileError) -> HDF5Dataset {
    let place = location.child(name)
    let strings = try place.bytes(of: strings)
    let length = max(minimumLength, strings.map(\.count).max() ?? 0)
    var padded: [UInt8] = []
    padded.reserveCapacity(length * strings.count)
    for string in strings {
      padded += string
      padded += repeatElement(0, count: length - string.count)
    }
    return try withHDF5 { () throws(FileError) in
      let type = try place.stringType(size: length)
      let dataset = try createDataset(name, type: type.id, shape: shape)
      let status = padded.withUnsafeBytes { dataset.fill($0, type: type.id) }
      try place.check(status, "write")
      return dataset
    }
  }

  private func createDataset(_ name: String, type: hid_t, shape: [Int]) throws(FileError) -> HDF5Dataset {
    let place = location.child(name)
    let space = try place.space(shape)
    let creation = try HDF5Handle(
      H5Pcreate(h5_dataset_creation()), at: place, "make a property list", release: H5Pclose)
    try place.check(H5Pset_obj_track_times(creation.id, false), "turn time stamps off")
    let id = H5Dcreate2(location.id, name, type, space.id, h5_default, creation.id, h5_default)
    return HDF5Dataset(try HDF5Handle(id, at: place, "create the dataset", release: H5Dclose))
  }
}

extension HDF5Dataset {
  /// Writes all elements; the status is HDF5's. It would refuse the null pointer that an empty array may have.
  fileprivate func fill(_ bytes: UnsafeRawBufferPointer, type: hid_t) -> herr_t {
    bytes.isEmpty ? 0 : H5Dwrite(location.id, type, h5_all, h5_all, h5_default, bytes.baseAddress)
  }

  /// Declares this one-dimensional dataset the scale of a dimension called `name`.
  package func makeScale(_ name: String) throws(FileError) {
    try withHDF5 { () throws(FileError) in
      try location.check(H5DSset_scale(location.id, name), "make it a dimension scale")
    }
  }

  /// Attaches a scale to dimension `dimension`, so that readers find its labels.
  package func attach(_ scale: borrowing HDF5Dataset, toDimension dimension: Int) throws(FileError) {
    let scale = scale.location
    try withHDF5 { () throws(FileError) in
      let status = H5DSattach_scale(location.id, scale.id, UInt32(dimension))
      try location.check(status, "attach the scale \(scale.object) to dimension \(dimension)")
    }
  }
}
