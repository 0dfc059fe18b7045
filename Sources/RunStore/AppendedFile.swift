import Foundation
import Weights

/// A text file that grows line by line, each by one `write`, so that a reader sees whole lines but for the last.
package struct AppendedFile: ~Copyable {
  private let path: String
  private let descriptor: Int32

  /// Opens the file, which is made where there is none; throws `.cannotCreate`.
  package init(path: String) throws(FileError) {
    self.path = path
    descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.error(.cannotCreate, path, "opened for appending") }
  }

  deinit { close(descriptor) }

  /// Appends a text that ends its line; throws `.cannotWrite`, and the file is then as it was.
  package func append(_ text: String) throws(FileError) {
    let length = lseek(descriptor, 0, SEEK_END)
    let bytes = Array(text.utf8)
    var written: Int
    repeat { written = Foundation.write(descriptor, bytes, bytes.count) } while written < 0 && errno == EINTR
    guard written == bytes.count else {
      // Less than all was written: the disk is full. What was must not run into a later line.
      let error = written < 0 ? Self.error(.cannotWrite, path, "written") : Self.isFull(path)
      if length >= 0 { ftruncate(descriptor, length) }
      throw error
    }
  }

  /// Brings what was appended to the disk.
  func synchronize() throws(FileError) {
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw Self.error(.cannotWrite, path, "brought to the disk") }
  }

  /// Keeps the file for this process until it is closed, by whatever end; throws `.cannotCreate` where another one has it.
  ///
  /// - Parameter folder: what it stands for, which is a `kind`, in the message.
  package func lock(_ folder: String, a kind: String = "run") throws(FileError) {
    // A program that this process is just starting has the lock of a file that was closed until its own first instruction.
    for _ in 0..<20 {
      guard flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
      usleep(10_000)
    }
    throw FileError(
      .cannotCreate, path: folder, "expected a \(kind) that nobody writes, found one that another process is writing",
      remedy: "Wait for it, or stop it")
  }

  /// Cuts the file before the first line that is not wanted.
  func cut(_ isWanted: (ArraySlice<UInt8>) -> Bool) throws(FileError) {
    let file = try PositionedFile(path: path)
    let bytes = try file.read(file.size, at: 0)
    var end = 0
    while end < bytes.count, let feed = bytes[end...].firstIndex(of: UInt8(ascii: "\n")) {
      let isBlank = bytes[end..<feed].allSatisfy { [0x20, 0x09, 0x0D].contains($0) }
      guard isBlank || isWanted(bytes[end..<feed]) else { break }
      end = feed + 1
    }
    if end == bytes.count { return }
    guard ftruncate(descriptor, off_t(end)) == 0 else { throw Self.error(.cannotWrite, path, "cut") }
  }

  /// Takes off what follows the last line feed: a line that its writer did not finish.
  func cutTornLine() throws(FileError) {
    let file = try PositionedFile(path: path)
    let bytes = try file.read(file.size, at: 0)
    let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    if end == bytes.count { return }
    guard ftruncate(descriptor, off_t(end)) == 0 else { throw Self.error(.cannotWrite, path, "cut") }
  }

  private static func error(_ kind: FileError.Kind, _ path: String, _ action: String) -> FileError {
    FileError(
      kind, path: path, "cannot be \(action): \(String(cString: strerror(errno)))",
      remedy: "Check the folder, its permissions and free space")
  }

  private static func isFull(_ path: String) -> FileError {
    FileError(.cannotWrite, path: path, "only a part of a line could be written", remedy: "Check the free space")
  }
}
