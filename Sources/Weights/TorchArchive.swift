import OrderedCollections

/// A file of tensors as `torch.save` has written it since version 1.6: a zip archive of one pickle, which says what there
/// is, and one entry of plain bytes for each storage. Nothing in it is executed.
struct TorchArchive {
  private(set) var tensors = OrderedDictionary<String, TensorEntry>()

  private let path: String
  private let graph: PickleGraph
  private let storages: TorchStorages
  /// What further tensors may take, so that reading all of them takes a time in proportion to the file.
  private var remainingBytes: Int

  /// Keys under which trainers put the tensors of a model beside other things.
  private static let wrappers: Set = ["state_dict", "model_state_dict", "model", "module"]
  private static let maximumTensors = 1_000_000
  private static let maximumNameLength = 4096
  private static let maximumDepth = 8
  /// How often the tensors of a file may use its bytes. Tied weights use them twice, repeated layers as often as there
  /// are layers.
  private static let maximumSharing = 256

  /// Reads the directory and the pickle; throws `.badContent` for every way in which they can contradict each other, and
  /// names what is no data.
  init(of file: PositionedFile) throws(FileError) {
    path = file.path
    let (limit, overflow) = file.size.multipliedReportingOverflow(by: Self.maximumSharing)
    remainingBytes = overflow ? .max : limit
    storages = try TorchStorages(ZipDirectory(of: file).entries, in: file)
    graph = try PickleReader.graph(of: storages.pickle(), path: path)
    guard let root = graph.dictionary(graph.root) else {
      throw FileError(
        .badContent, path: path, object: "data.pkl", "expected a dictionary of tensors, found another object",
        remedy: "Save the model's state_dict()")
    }
    var visits = 0
    let reader = TorchTensors(path: path, graph: graph, storages: storages)
    if holdsTensors(root) {
      try add(root, prefix: "", depth: Self.maximumDepth, reader, &visits)
    } else if let inner = wrapped(root) {
      try add(inner, prefix: "", depth: Self.maximumDepth, reader, &visits)
    } else {
      try add(root, prefix: "", depth: 0, reader, &visits)
    }
  }

  private func holdsTensors(_ entries: [(key: PickleGraph.Value, value: PickleGraph.Value)]) -> Bool {
    entries.contains { TorchTensors.isTensor($0.value, in: graph) }
  }

  /// The tensors of the model where the file has them under one of the usual keys.
  private func wrapped(
    _ root: [(key: PickleGraph.Value, value: PickleGraph.Value)]
  ) -> [(key: PickleGraph.Value, value: PickleGraph.Value)]? {
    let named = root.filter { $0.key.string.map(Self.wrappers.contains) == true }
    // A dictionary may repeat a key; only so many are looked into.
    guard named.count <= Self.wrappers.count else { return nil }
    let inner = named.compactMap { graph.dictionary($0.value) }.filter(holdsTensors)
    return inner.count == 1 ? inner[0] : nil
  }

  /// Adds the tensors among the entries of a dictionary, and those of the dictionaries in it until `maximumDepth`. A
  /// pickle can share a dictionary many times over, so what is looked at is counted.
  private mutating func add(
    _ entries: [(key: PickleGraph.Value, value: PickleGraph.Value)], prefix: String, depth: Int,
    _ reader: TorchTensors, _ visits: inout Int
  ) throws(FileError) {
    for (key, value) in entries {
      visits += 1
      guard visits <= Self.maximumTensors else {
        throw FileError(
          .badContent, path: path, object: "data.pkl", "expected at most \(Self.maximumTensors) entries, found more")
      }
      guard let name = key.string ?? key.integer.map(String.init) else { continue }
      guard prefix.utf8.count + name.utf8.count < Self.maximumNameLength else {
        throw FileError(
          .badContent, path: path, object: "tensor " + FileError.quoted(prefix + name),
          "expected a name of at most \(Self.maximumNameLength) bytes, found more")
      }
      if TorchTensors.isTensor(value, in: graph) {
        let entry = try reader.entry(prefix + name, value)
        tensors[prefix + name] = entry
        remainingBytes -= entry.byteRange.count
        guard remainingBytes >= 0 else { throw sharesTooMuch(entry) }
      } else if depth < Self.maximumDepth, let inner = graph.dictionary(value) {
        try add(inner, prefix: prefix + name + ".", depth: depth + 1, reader, &visits)
      }
    }
  }
}

extension TorchArchive {
  private func sharesTooMuch(_ entry: TensorEntry) -> FileError {
    FileError(
      .badContent, path: path, object: entry.object,
      "expected tensors of at most \(Self.maximumSharing) times the file's size, found more that share its bytes",
      remedy: "Save every tensor once")
  }
}

/// The entries of an archive of `torch.save`.
struct TorchStorages {
  private let file: PositionedFile
  private let entries: OrderedDictionary<String, Range<Int>>
  /// The folder within the archive that everything is in.
  private let root: String

  init(_ entries: OrderedDictionary<String, Range<Int>>, in file: PositionedFile) throws(FileError) {
    self.file = file
    self.entries = entries
    let pickles = entries.keys.filter { $0.hasSuffix("/data.pkl") && $0.utf8.count { $0 == UInt8(ascii: "/") } == 1 }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw FileError(
        .badContent, path: file.path, "expected a zip archive with one data.pkl, as torch.save writes, found another",
        remedy: "Check the path")
    }
    root = String(pickle.dropLast("data.pkl".count))
    if entries[root + "constants.pkl"] != nil {
      throw FileError(
        .badContent, path: file.path, "expected tensors, found a TorchScript program",
        remedy: "Save the model's state_dict()")
    }
    try checkByteOrder()
  }

  private func checkByteOrder() throws(FileError) {
    guard let range = entries[root + "byteorder"] else { return }
    let text = String(decoding: try file.read(min(range.count, 16), at: range.lowerBound), as: UTF8.self)
    guard text == "little" else {
      throw FileError(
        .badContent, path: file.path, object: "byteorder",
        "expected numbers in little-endian order, found \(FileError.quoted(text))",
        remedy: "Load it with torch on a common machine and save it again")
    }
  }

  /// The bytes of the pickle that says what there is.
  func pickle() throws(FileError) -> [UInt8] {
    let range = entries[root + "data.pkl"] ?? 0..<0
    guard range.count <= PickleReader.maximumLength else {
      throw FileError(
        .badContent, path: file.path, object: "data.pkl",
        "expected at most \(PickleReader.maximumLength) bytes, found \(range.count)")
    }
    return try file.read(range.count, at: range.lowerBound)
  }

  /// Where the bytes of a storage are; nil where the archive has none of that key.
  func range(_ key: String) -> Range<Int>? { entries[root + "data/" + key] }
}
