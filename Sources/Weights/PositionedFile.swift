import Foundation

/// What tells one state of a file from another: a changed or replaced file has another identity.
package struct FileIdentity: Hashable, Sendable {
  /// The number of the file system.
  package let device: UInt64
  /// The number of the file within its file system.
  package let inode: UInt64
  /// In bytes.
  package let size: Int
  /// Time of the last modification, in nanoseconds since 1970.
  package let modificationTime: Int

  fileprivate init(_ status: stat) {
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    device = UInt64(truncatingIfNeeded: status.st_dev)
    inode = UInt64(status.st_ino)
    size = Int(status.st_size)
    modificationTime = Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
  }
}

/// A regular file, open for reading at given positions.
///
/// Another process may truncate the file at any time. A mapped file would then kill this process, so it is read with
/// `pread`, which reports that as an error; `pread` also needs no file position, so several threads can read at once.
/// The file is closed when the last reference goes.
package final class PositionedFile: Sendable {
  /// The path that was opened.
  package let path: String
  /// The identity at the time of opening.
  package let identity: FileIdentity
  /// The size in bytes at the time of opening.
  package var size: Int { identity.size }
  private let descriptor: Int32

  /// Opens a file; throws `.cannotOpen` when it is missing, may not be read, or is a folder or a device.
  package init(path: String) throws(FileError) {
    // A named pipe would block the opening until somebody writes to it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Self.openingError(errno, path: path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw FileError(
        .cannotOpen, path: path, "expected a file, found \(isFolder ? "a folder" : "a device or pipe")")
    }
    self.path = path
    self.descriptor = descriptor
    identity = FileIdentity(status)
  }

  deinit { close(descriptor) }

  /// Fills `buffer` from the bytes at `offset`; throws `.badContent` when the file ends before the buffer is full, and
  /// `.cannotOpen` when the system fails to read.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw readingError(errno, at: offset + done) }
      guard count > 0 else {
        throw FileError(
          .badContent, path: path,
          "expected \(buffer.count) bytes at offset \(offset), found the end of the file; is it still being written?")
      }
      done += count
    }
  }

  /// The `count` bytes at `offset`. Memory is taken only for bytes that the file had when it was opened.
  package func read(_ count: Int, at offset: Int) throws(FileError) -> [UInt8] {
    guard count <= size - offset else {
      throw FileError(
        .badContent, path: path,
        "expected \(count) bytes at offset \(offset), found the end of the file; is it still being written?")
    }
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBufferPointer { (buffer) throws(FileError) in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
    }
    return bytes
  }
}

extension PositionedFile {
  private static func openingError(_ code: Int32, path: String) -> FileError {
    switch code {
    case ENOENT:
      FileError(.cannotOpen, path: path, "no such file", remedy: "Check the path")
    case EACCES, EPERM:
      FileError(.cannotOpen, path: path, "permission denied", remedy: "Make it readable for this user")
    default:
      FileError(.cannotOpen, path: path, "cannot be opened: \(String(cString: strerror(code)))")
    }
  }

  private func readingError(_ code: Int32, at offset: Int) -> FileError {
    FileError(.cannotOpen, path: path, "cannot be read at offset \(offset): \(String(cString: strerror(code)))")
  }
}
