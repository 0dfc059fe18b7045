import Weights

/// Reads a file from front to back in blocks, taking memory only for bytes that are there.
struct SequentialReader {
  private static let blockSize = 1 << 20

  private let file: PositionedFile
  private var block: ArraySlice<UInt8> = []
  /// How many bytes have been read.
  private(set) var offset = 0

  init(_ file: PositionedFile) { self.file = file }

  var path: String { file.path }

  /// The next bytes; nil, and nothing is read, where fewer are left.
  mutating func read(_ count: Int) throws(FileError) -> ArraySlice<UInt8>? {
    guard count <= file.size - offset else { return nil }
    if count > block.count {
      block = try file.read(min(max(count, Self.blockSize), file.size - offset), at: offset)[...]
    }
    defer {
      block = block.dropFirst(count)
      offset += count
    }
    return block.prefix(count)
  }
}
