import Foundation

/// A file that appears whole or not at all: it is written under a temporary name in the folder of its destination,
/// and `commit` moves it there. Without `commit` the temporary file is removed.
package struct PendingFile: ~Copyable {
  /// The temporary name to write to; it begins with a dot, so that those who watch the folder pass over it.
  package let path: String
  /// The path at which the file appears.
  package let destination: String
  private var isCommitted = false

  /// Chooses a name; nothing is created yet. `destination` is replaced by `commit` if it exists.
  package init(for destination: String) {
    let url = URL(fileURLWithPath: destination)
    let unique = String(UInt64.random(in: .min ... .max), radix: 16)
    let name = ".\(url.lastPathComponent.prefix(100)).\(Self.host)-\(getpid())-\(unique).tmp"
    path = url.deletingLastPathComponent().appendingPathComponent(name).path
    self.destination = destination
  }

  deinit {
    if !isCommitted { unlink(path) }
  }

  /// This machine's name without its domain, as a part of temporary names: several machines may write to one folder.
  private static let host: String = {
    // `ProcessInfo` would ask the network.
    var system = utsname()
    uname(&system)
    let name = withUnsafeBytes(of: system.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return String(name.prefix { $0 != "." }.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }.prefix(40))
  }()

  /// Brings the content to the disk, then gives the file its name, then brings the name to the disk; throws
  /// `.cannotWrite`. The file must be closed by whoever wrote it.
  package mutating func commit() throws(FileError) {
    try Self.synchronize(path, for: destination)
    guard rename(path, destination) == 0 else { throw Self.error(.cannotWrite, destination, "renamed") }
    isCommitted = true
    try Self.synchronize(URL(fileURLWithPath: destination).deletingLastPathComponent().path, for: destination)
  }

  /// Creates the temporary file and writes `chunks` to it one after the other; throws `.cannotCreate` and
  /// `.cannotWrite`.
  package func write(_ chunks: some Sequence<[UInt8]>) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.error(.cannotCreate, destination, "created") }
    defer { close(descriptor) }
    for chunk in chunks {
      try chunk.withUnsafeBufferPointer { (buffer) throws(FileError) in
        try write(UnsafeRawBufferPointer(buffer), to: descriptor)
      }
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(FileError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Self.error(.cannotWrite, destination, "written") }
      rest = rest.dropFirst(count)
    }
  }

  private static func synchronize(_ path: String, for destination: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw error(.cannotWrite, destination, "brought to the disk") }
    defer { close(descriptor) }
    // Some file systems cannot synchronise a folder and say so with EINVAL; there is nothing to wait for then.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw error(.cannotWrite, destination, "brought to the disk")
    }
  }

  private static func error(_ kind: FileError.Kind, _ path: String, _ action: String) -> FileError {
    let reason = String(cString: strerror(errno))
    return FileError(
      kind, path: path, "cannot be \(action): \(reason)", remedy: "Check the folder, its permissions and free space")
  }
}

extension PendingFile {
  /// Removes from a folder the temporary files of writers that were killed, for the destinations whose names are `mine`.
  ///
  /// Nobody else may be writing these: a file under way looks the same.
  package static func removeLeftovers(in folder: String, of mine: (_ name: String) -> Bool) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      if let (destination, _) = parts(of: name), mine(destination) { unlink(folder + "/" + name) }
    }
  }

  /// The same beside others who write there now: removes only what nobody can be writing any more.
  ///
  /// That is what processes of this machine have left that are gone, and of other machines what has not changed for an hour.
  package static func removeAbandoned(in folder: String, of mine: (_ name: String) -> Bool) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      guard let (destination, writer) = parts(of: name), mine(destination) else { continue }
      let path = folder + "/" + name
      if isGone(writer) || isOld(path) { unlink(path) }
    }
  }

  /// The parts of a temporary name: the dot, the destination's name, `.<host>-<process>-<number>`, and `.tmp`.
  private static func parts(of name: String) -> (destination: String, writer: Substring)? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts.first == "", parts.last == "tmp" else { return nil }
    return (parts[1..<parts.count - 2].joined(separator: "."), parts[parts.count - 2])
  }

  /// Whether the writer was a process of this machine that has ended.
  private static func isGone(_ writer: Substring) -> Bool {
    let parts = writer.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, parts.dropLast(2).joined(separator: "-") == host,
      let process = pid_t(parts[parts.count - 2])
    else { return false }
    return kill(process, 0) != 0 && errno == ESRCH
  }

  private static func isOld(_ path: String) -> Bool {
    let changed = (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    return changed.map { $0 < Date(timeIntervalSinceNow: -3600) } ?? false
  }

  /// Writes a file whole.
  package static func write(_ bytes: [UInt8], to destination: String) throws(FileError) {
    var file = PendingFile(for: destination)
    try file.write(CollectionOfOne(bytes))
    try file.commit()
  }

  /// Writes a text file whole, in UTF-8.
  package static func write(_ text: String, to destination: String) throws(FileError) {
    try write([UInt8](text.utf8), to: destination)
  }
}
