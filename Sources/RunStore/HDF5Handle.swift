internal import CHDF5
import Weights

/// An open HDF5 object as messages and calls need it: its identifier, which a handle owns, the file it is in and its
/// path in there.
package struct HDF5Location {
  let id: hid_t
  /// The file's path.
  package let path: String
  /// The object's path in the file, starting with `/`.
  package let object: String
  /// What a failure is: `.badContent` in a file that is read, `.cannotWrite` in one that is written.
  let failure: FileError.Kind

  /// The same file, another object in it.
  func child(_ name: String, id: hid_t = h5_no_id) -> HDF5Location {
    HDF5Location(id: id, path: path, object: object == "/" ? "/\(name)" : "\(object)/\(name)", failure: failure)
  }

  /// An error about this object.
  func error(_ problem: String, remedy: String = "") -> FileError {
    FileError(failure, path: path, object: object, problem, remedy: remedy)
  }

  /// Passes on the result of an HDF5 call, or throws what HDF5 says about it when it is negative.
  ///
  /// `action` completes the sentence "cannot …". To be called inside `withHDF5`, before any other HDF5 call.
  @discardableResult
  func check<Status: SignedInteger>(_ status: Status, _ action: String) throws(FileError) -> Status {
    if status >= 0 { return status }
    let reason = HDF5Library.takeError()
    throw error("cannot \(action)" + (reason.isEmpty ? "" : ": \(reason)"))
  }
}

/// Owns one HDF5 identifier and releases it when it dies.
struct HDF5Handle: ~Copyable {
  private(set) var location: HDF5Location
  private let release: @convention(c) (hid_t) -> herr_t
  private var isOpen = true

  var id: hid_t { location.id }

  /// Takes over a valid identifier; `release` is the function that closes its kind.
  init(_ location: HDF5Location, release: @escaping @convention(c) (hid_t) -> herr_t) {
    self.location = location
    self.release = release
  }

  /// Takes over what an HDF5 call returned about `location`, or throws when that is no identifier.
  init(
    _ id: hid_t, at location: HDF5Location, _ action: String, release: @escaping @convention(c) (hid_t) -> herr_t
  ) throws(FileError) {
    let id = try location.check(id, action)
    self.init(
      HDF5Location(id: id, path: location.path, object: location.object, failure: location.failure), release: release)
  }

  /// Releases the identifier and reports a failure, which a `deinit` has to keep to itself.
  consuming func close() throws(FileError) {
    isOpen = false
    try withHDF5 { () throws(FileError) in _ = try location.check(release(id), "close") }
  }

  deinit {
    if isOpen { HDF5Library.locked { _ = release(location.id) } }
  }
}

/// What groups and datasets have in common: a place in a file, and attributes.
package protocol HDF5Object: ~Copyable {
  /// Valid as long as the object lives.
  var location: HDF5Location { get }
}
