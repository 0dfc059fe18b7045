/// What a file is that was expected to be something else, recognised by its first bytes.
package enum ForeignFormat: Equatable, Sendable {
  case empty
  case gitLFSPointer
  case zipArchive
  case pickle
  case html
  case json
  case hdf5
  case gguf

  /// How many leading bytes are looked at.
  package static let prefixLength = 64

  /// Recognises a format; nil when the bytes are none of those known here.
  ///
  /// A valid safetensors file may begin with the bytes of a pickle, since it begins with a number: ask only once it is
  /// clear that the file is not what was expected.
  package init?(prefix: some Collection<UInt8>) {
    let text = prefix.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    let signatures: [(String, ForeignFormat)] = [
      ("version https://git-lfs.github.com/spec/v1", .gitLFSPointer), ("PK\u{3}\u{4}", .zipArchive), ("GGUF", .gguf),
    ]
    let isPickle = prefix.first == 0x80 && prefix.dropFirst().first.map { (2...5).contains($0) } == true
    if prefix.isEmpty {
      self = .empty
    } else if let (_, format) = signatures.first(where: { prefix.starts(with: $0.0.utf8) }) {
      self = format
    } else if isPickle {
      self = .pickle
    } else if prefix.starts(with: [0x89, 0x48, 0x44, 0x46]) {
      self = .hdf5
    } else if text.first == UInt8(ascii: "<") {
      self = .html
    } else if text.first == UInt8(ascii: "{") || text.first == UInt8(ascii: "[") {
      self = .json
    } else {
      return nil
    }
  }

  /// The error for a file of this format where `expected` ("a safetensors file") was needed.
  package func error(path: String, expected: String) -> FileError {
    FileError(.badContent, path: path, "expected \(expected), found \(found)", remedy: remedy)
  }

  private var found: String {
    switch self {
    case .empty: "an empty file"
    case .gitLFSPointer: "a Git LFS pointer"
    case .zipArchive: "a zip archive, as torch.save writes"
    case .pickle: "a Python pickle, as torch.save wrote before version 1.6"
    case .html: "an HTML page"
    case .json: "JSON text"
    case .hdf5: "an HDF5 file"
    case .gguf: "a GGUF file"
    }
  }

  private var remedy: String {
    switch self {
    case .empty: "Wait if it is still being written, else copy or download it again"
    case .gitLFSPointer: "Fetch the file itself with: git lfs pull"
    case .zipArchive, .pickle: "Convert it with save_pretrained(safe_serialization=True)"
    case .html, .json: "Download it again: this is often a server's error message saved under the file's name"
    case .hdf5, .gguf: "Check the path"
    }
  }
}
