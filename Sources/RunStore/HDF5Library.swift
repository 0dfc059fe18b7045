internal import CHDF5
import Foundation
import Weights

/// The HDF5 library of this process: one lock around every call, and what `doctor` prints of it.
///
/// A thread-safe build serialises single calls; the lock makes a sequence of calls, and the reading of the error stack
/// after a failed one, indivisible as well.
package enum HDF5Library {
  /// Recursive, because a handle may die (and close itself) inside a locked closure.
  private static let lock = NSRecursiveLock()

  /// The version that is loaded, such as `1.10.8`.
  package static var version: String {
    locked {
      var (major, minor, release): (UInt32, UInt32, UInt32) = (0, 0, 0)
      H5get_libversion(&major, &minor, &release)
      return "\(major).\(minor).\(release)"
    }
  }

  /// Whether the library was built thread-safe; Debian's serial flavour is, its MPI flavour is not.
  package static var isThreadSafe: Bool {
    locked {
      var answer = false
      return H5is_library_threadsafe(&answer) >= 0 && answer
    }
  }

  /// Why a library cannot be used, or nil when it can.
  package static func obstacle(version: String, isThreadSafe: Bool) -> FileError? {
    isThreadSafe
      ? nil
      : FileError(
        .cannotOpen, path: "libhdf5", "expected a thread-safe build of HDF5, found \(version) without thread safety",
        remedy: "Install the serial flavour (Debian: libhdf5-dev, `pkg-config hdf5-serial`) and build again")
  }

  /// Set up once, on the first use, which is always inside the lock: taking it here could deadlock with the
  /// initialisation of statics. Filter plug-ins stay off: they are code that a file asks to be loaded.
  private static let startup: FileError? = {
    H5open()
    H5PLset_loading_state(0)
    return obstacle(version: version, isThreadSafe: isThreadSafe)
  }()

  /// Runs `body` under the lock, without any demand on the library: for closing handles and for `doctor`.
  static func locked<T: ~Copyable, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    lock.lock()
    defer { lock.unlock() }
    return try body()
  }

  fileprivate static func prepare() throws(FileError) {
    if let startup { throw startup }
    _ = h5_silence()
  }

  /// The innermost message of the calling thread's error stack; call it directly after the failed call.
  static func takeError() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
      h5_take_error(buffer.baseAddress!, buffer.count)
      return String(cString: buffer.baseAddress!)
    }
  }
}

/// Runs `body`, a sequence of HDF5 calls, as the only one in this process and with this thread's error printing off.
///
/// Calls may be nested. Throws a `FileError` when the library that was found is not thread-safe.
@discardableResult
package func withHDF5<T: ~Copyable>(_ body: () throws(FileError) -> T) throws(FileError) -> T {
  try HDF5Library.locked { () throws(FileError) -> T in
    try HDF5Library.prepare()
    return try body()
  }
}
