internal import CHDF5
import Foundation
import Weights

/// An open HDF5 file.
package struct HDF5File: ~Copyable {
  private let handle: HDF5Handle

  /// Opens a file for reading.
  ///
  /// Throws `.cannotOpen` when there is no readable file, `.badContent` when it is not HDF5 or cut short.
  package static func open(_ path: String) throws(FileError) -> HDF5File {
    try requireReadableFile(path)
    return try withHDF5 { () throws(FileError) in
      let id = H5Fopen(path, h5_read_only(), h5_default)
      guard id >= 0 else {
        throw FileError(
          .badContent, path: path,
          "expected an HDF5 file, found one that is truncated or not HDF5 (\(HDF5Library.takeError()))",
          remedy: "Copy or write it again")
      }
      let location = HDF5Location(id: id, path: path, object: "/", failure: .badContent)
      return HDF5File(handle: HDF5Handle(location, release: H5Fclose))
    }
  }

  /// True for a readable file with the signature of HDF5 files, whole or not.
  package static func hasSignature(_ path: String) -> Bool {
    let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
    guard let file = try? PositionedFile(path: path) else { return false }
    // HDF5 looks for it at the start and, behind a block of the user's own, at 512, 1024, 2048 and so on.
    var offset = 0
    while offset + signature.count <= file.size {
      if (try? file.read(signature.count, at: offset)) == signature { return true }
      offset = max(512, 2 * offset)
    }
    return false
  }

  /// Writes a file whole (see `PendingFile`), replacing an existing one; `body` fills the root group.
  ///
  /// The file is built in memory: HDF5 1.10 does not survive a disk that is full (a failed flush leaves it with broken
  /// objects, and closing them crashes), and so it is we who meet the disk. Takes twice the file's size in memory.
  ///
  /// Throws what `body` throws, `.cannotCreate` or `.cannotWrite`; an existing file stays then.
  package static func write(
    to path: String, _ body: (borrowing HDF5Group) throws(FileError) -> Void
  ) throws(FileError) {
    let file = try inMemory(path)
    try body(try file.root())
    let image = try file.image()
    try file.close()
    try PendingFile.write(image, to: path)
  }

  private static func inMemory(_ path: String) throws(FileError) -> HDF5File {
    try withHDF5 { () throws(FileError) in
      let place = HDF5Location(id: h5_no_id, path: path, object: "/", failure: .cannotWrite)
      let access = try HDF5Handle(
        H5Pcreate(h5_file_access()), at: place, "make a property list", release: H5Pclose)
      try place.check(H5Pset_fapl_core(access.id, 1 << 20, false), "choose memory")
      // A handle that is still open is a defect of ours, and closing is where it shows.
      try place.check(H5Pset_fclose_degree(access.id, H5F_CLOSE_SEMI), "set the close degree")
      let id = H5Fcreate(path, h5_truncate(), h5_default, access.id)
      return HDF5File(handle: try HDF5Handle(id, at: place, "create the file", release: H5Fclose))
    }
  }

  /// The bytes of a file in memory.
  private func image() throws(FileError) -> [UInt8] {
    let place = handle.location
    return try withHDF5 { () throws(FileError) in
      try place.check(H5Fflush(handle.id, H5F_SCOPE_GLOBAL), "flush")
      let size = try place.check(H5Fget_file_image(handle.id, nil, 0), "read the file's size")
      var bytes = [UInt8](repeating: 0, count: size)
      try place.check(H5Fget_file_image(handle.id, &bytes, size), "read the file's bytes")
      return bytes
    }
  }

  /// The root group.
  package func root() throws(FileError) -> HDF5Group {
    try withHDF5 { () throws(FileError) in
      let id = H5Gopen2(handle.id, "/", h5_default)
      return HDF5Group(try HDF5Handle(id, at: handle.location, "open the root group", release: H5Gclose))
    }
  }

  /// Groups and datasets in it must be gone.
  private consuming func close() throws(FileError) {
    try handle.close()
  }

  /// HDF5 says "file signature not found" about folders and knows no errno for the rest.
  private static func requireReadableFile(_ path: String) throws(FileError) {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw FileError(.cannotOpen, path: path, "expected an HDF5 file, found a folder")
    }
    guard access(path, R_OK) == 0 else {
      throw FileError(
        .cannotOpen, path: path, "cannot open the file: \(String(cString: strerror(errno)))",
        remedy: "Check the path and its permissions")
    }
  }
}
