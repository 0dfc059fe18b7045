internal import CHDF5
import Weights

/// An open group. Names of members are single path components.
package struct HDF5Group: ~Copyable, HDF5Object {
  private let handle: HDF5Handle
  package var location: HDF5Location { handle.location }

  init(_ handle: consuming HDF5Handle) {
    self.handle = handle
  }

  /// The names of all members, in the order of their bytes.
  package func members() throws(FileError) -> [String] {
    try withHDF5 { () throws(FileError) in
      var names: [String] = []
      let status = withUnsafeMutablePointer(to: &names) { names in
        H5Literate(
          location.id, H5_INDEX_NAME, H5_ITER_INC, nil,
          { _, name, _, names in
            names!.assumingMemoryBound(to: [String].self).pointee.append(String(cString: name!))
            return 0
          }, names)
      }
      try location.check(status, "list the group")
      return names
    }
  }

  /// Whether there is a member of this name.
  package func contains(_ name: String) throws(FileError) -> Bool {
    try withHDF5 { () throws(FileError) in
      try location.check(H5Lexists(location.id, Self.component(name), h5_default), "look up '\(name)'") > 0
    }
  }

  /// Opens a member group. Throws when there is none, or when it is behind a soft or external link.
  package func group(_ name: String) throws(FileError) -> HDF5Group {
    try withHDF5 { () throws(FileError) in
      let place = try linked(name)
      let id = H5Gopen2(location.id, name, h5_default)
      return HDF5Group(try HDF5Handle(id, at: place, "open the group", release: H5Gclose))
    }
  }

  /// Opens a member dataset. Throws when there is none, or when it is behind a soft or external link.
  package func dataset(_ name: String) throws(FileError) -> HDF5Dataset {
    try withHDF5 { () throws(FileError) in
      let place = try linked(name)
      let id = H5Dopen2(location.id, name, h5_default)
      return HDF5Dataset(try HDF5Handle(id, at: place, "open the dataset", release: H5Dclose))
    }
  }

  /// Creates a member group.
  package func createGroup(_ name: String) throws(FileError) -> HDF5Group {
    try withHDF5 { () throws(FileError) in
      let id = H5Gcreate2(location.id, Self.component(name), h5_default, h5_default, h5_default)
      return HDF5Group(
        try HDF5Handle(id, at: location.child(name), "create the group", release: H5Gclose))
    }
  }

  /// Makes an object of the same file a member of this group too, by a hard link.
  package func link(_ name: String, to object: borrowing some HDF5Object & ~Copyable) throws(FileError) {
    let target = object.location
    try withHDF5 { () throws(FileError) in
      let status = H5Olink(target.id, location.id, Self.component(name), h5_default, h5_default)
      try location.child(name).check(status, "link \(target.object)")
    }
  }

  /// Makes an object of another file a member by an external link. `file` is relative to this file's folder; it need not exist.
  ///
  /// For readers of others: ours follow no link out of a file.
  package func linkExternally(_ name: String, to object: String, inFile file: String) throws(FileError) {
    try withHDF5 { () throws(FileError) in
      let status = H5Lcreate_external(file, object, location.id, Self.component(name), h5_default, h5_default)
      try location.child(name).check(status, "link \(object) of \(file)")
    }
  }

  /// A slash would walk through further links, unchecked.
  private static func component(_ name: String) -> String {
    precondition(!name.isEmpty && name != "." && !name.contains("/"), "'\(name)' is not one path component")
    return name
  }

  /// The place of a member that is really in this file: soft and external links may lead out of it.
  private func linked(_ name: String) throws(FileError) -> HDF5Location {
    let place = location.child(name)
    guard try contains(name) else { throw place.error("expected an object of this name, found none") }
    var link = H5L_info_t()
    try place.check(H5Lget_info(location.id, name, &link, h5_default), "read the link")
    guard link.type == H5L_TYPE_HARD else {
      let kind = link.type == H5L_TYPE_SOFT ? "a soft" : link.type == H5L_TYPE_EXTERNAL ? "an external" : "a foreign"
      throw place.error("expected an object in this file, found \(kind) link", remedy: "Copy the data into the file")
    }
    return place
  }
}
