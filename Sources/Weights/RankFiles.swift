import Foundation
import OrderedCollections

/// The files that the ranks of an FSDP run leave, as verl names them: `model_world_size_W_rank_R.pt`.
struct RankFiles {
  /// The paths of all ranks' files, in the order of the ranks.
  let paths: [String]

  /// Finds the files; throws `.badContent` where there is none, a rank is missing, or there are those of two runs.
  init(in folder: String) throws(FileError) {
    let ranks = Self.ranks(in: folder)
    guard let first = ranks.first else {
      throw FileError(
        .badContent, path: folder, "expected files model_world_size_W_rank_R.pt, found none", remedy: "Check the path")
    }
    if let other = ranks.first(where: { $0.worldSize != first.worldSize }) {
      throw FileError(
        .badContent, path: folder, object: other.name,
        "expected files of \(first.worldSize) ranks, found one of \(other.worldSize) as well",
        remedy: "Keep the files of one run in the folder")
    }
    if let stray = ranks.last, stray.rank >= first.worldSize {
      throw FileError(
        .badContent, path: folder, object: stray.name,
        "expected ranks below \(first.worldSize), found rank \(stray.rank)", remedy: "Keep the files of one run")
    }
    if let gap = ranks.indices.first(where: { ranks[$0].rank != $0 })
      ?? (ranks.count < first.worldSize ? ranks.count : nil)
    {
      throw FileError(
        .badContent, path: folder, object: "model_world_size_\(first.worldSize)_rank_\(gap).pt",
        "expected the files of \(first.worldSize) ranks, found \(ranks.count), rank \(gap) missing",
        remedy: "Copy the files of all ranks into one folder, or wait if they are still being written")
    }
    paths = ranks.map { folder + "/" + $0.name }
  }

  /// The files by that name in a folder, sorted by world size and rank.
  static func ranks(in folder: String) -> [(name: String, worldSize: Int, rank: Int)] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let ranks = names.compactMap { name -> (name: String, worldSize: Int, rank: Int)? in
      let parts = name.split(separator: "_", omittingEmptySubsequences: false)
      guard parts.count == 6, parts[0] == "model", parts[1] == "world", parts[2] == "size", parts[4] == "rank",
        let worldSize = Int(parts[3]), parts[5].hasSuffix(".pt"), let rank = Int(parts[5].dropLast(3)),
        name == "model_world_size_\(worldSize)_rank_\(rank).pt"
      else { return nil }
      return (name, worldSize, rank)
    }
    return ranks.sorted { ($0.worldSize, $0.rank) < ($1.worldSize, $1.rank) }
  }
}

/// Puts the shares of all ranks together.
struct RankAssembly {
  let folder: String
  /// By rank.
  let files: [TensorFile]

  /// The whole tensors, in the order of the first rank; throws `.badContent` where the shares do not make them.
  func tensors() throws(FileError) -> OrderedDictionary<String, CollectedTensor> {
    var tensors = OrderedDictionary<String, CollectedTensor>()
    for name in files[0].tensors.keys {
      let shares = try files.map { file throws(FileError) in try file.entry(name) }
      tensors[name] = try tensor(name, shares)
    }
    for file in files {
      if let name = file.tensors.keys.first(where: { tensors[$0] == nil }) {
        throw failure(name, "expected it in the file of every rank, found it missing in \(files[0].path)")
      }
    }
    return tensors
  }

  private func tensor(_ name: String, _ shares: [TensorEntry]) throws(FileError) -> CollectedTensor {
    let first = shares[0]
    guard shares.allSatisfy({ $0.piece?.wholeShape == first.piece?.wholeShape && $0.elementType == first.elementType })
    else { throw failure(name, "expected one shape and type in all ranks, found several") }
    switch first.piece?.placement {
    case nil:
      try checkSame(name, shares)
      return CollectedTensor(first, file: 0)
    case .replicated:
      guard first.shape == first.piece?.wholeShape else { throw incomplete(name, shares) }
      return CollectedTensor(first, file: 0)
    case .sharded(let axis, let mesh, let meshAxis):
      guard shares.allSatisfy({ $0.piece == first.piece }) else {
        throw failure(name, "expected one placement in all ranks, found several")
      }
      let ranks = try ranks(along: meshAxis, of: mesh.isEmpty ? [files.count] : mesh, name)
      return try tensor(name, axis: axis, ranks, shares)
    case .at:
      return try shardedTensor(name, shares)
    }
  }

  /// The ranks along one axis of a grid at the beginning of all other axes, where the shares are the same again.
  private func ranks(along axis: Int, of mesh: [Int], _ name: String) throws(FileError) -> [Int] {
    var size = 1
    for length in mesh {
      let (product, overflow) = size.multipliedReportingOverflow(by: length)
      guard length > 0, !overflow, product <= files.count else {
        throw failure(name, "expected shares of \(files.count) ranks, as the files are named, found a grid \(mesh)")
      }
      size = product
    }
    guard size == files.count else {
      throw failure(name, "expected shares of \(files.count) ranks, as the files are named, found a grid \(mesh)")
    }
    let step = mesh[(axis + 1)...].reduce(1, *)
    return (0..<mesh[axis]).map { $0 * step }
  }

  /// The shares of FSDP 1 say where they begin; a rank may have none.
  private func shardedTensor(_ name: String, _ shares: [TensorEntry]) throws(FileError) -> CollectedTensor {
    let whole = shares[0].piece?.wholeShape ?? []
    let ranks = shares.indices.filter { shares[$0].elementCount > 0 }
    let axis = whole.indices.first { axis in ranks.contains { shares[$0].shape[axis] != whole[axis] } } ?? 0
    let sorted = ranks.map { (rank: $0, start: start(of: shares[$0], along: axis)) }.sorted { $0.start < $1.start }
    var end = 0
    for (rank, start) in sorted {
      guard start == end else { throw incomplete(name, shares) }
      end += shares[rank].shape[axis]
    }
    guard !whole.isEmpty, !sorted.isEmpty else { throw incomplete(name, shares) }
    return try tensor(name, axis: axis, sorted.map(\.rank), shares)
  }

  private func start(of share: TensorEntry, along axis: Int) -> Int {
    guard case .at(let offsets) = share.piece?.placement else { return -1 }
    // Anywhere but along the axis a share has to begin where the whole does.
    return offsets.enumerated().allSatisfy { $0.offset == axis || $0.element == 0 } ? offsets[axis] : -1
  }

  /// The shares one after the other along an axis.
  private func tensor(
    _ name: String, axis: Int, _ ranks: [Int], _ shares: [TensorEntry]
  ) throws(FileError) -> CollectedTensor {
    let whole = shares[0].piece?.wholeShape ?? []
    var parts: [CollectedTensor.Part] = []
    var end = 0
    for rank in ranks {
      var expected = whole
      expected[axis] = shares[rank].shape[axis]
      let (sum, overflow) = end.addingReportingOverflow(expected[axis])
      guard shares[rank].shape == expected, !overflow else { throw incomplete(name, shares) }
      if sum > end { parts.append(CollectedTensor.Part(file: rank, range: end..<sum)) }
      end = sum
    }
    guard end == whole[axis], !parts.isEmpty, !whole.contains(0) else { throw incomplete(name, shares) }
    return CollectedTensor(name: name, elementType: shares[0].elementType, shape: whole, axis: axis, parts: parts)
  }

  /// Plain tensors say nothing of how they are cut: they are taken for copies where they begin alike.
  private func checkSame(_ name: String, _ shares: [TensorEntry]) throws(FileError) {
    func start(_ rank: Int) throws(FileError) -> [UInt8] {
      guard shares[rank].strides == nil else { return try files[rank].readBytes(name) }
      let range = shares[rank].byteRange
      return try files[rank].file.read(min(range.count, 1 << 16), at: range.lowerBound)
    }
    guard files.count > 1 else { return }
    let (first, last) = (try start(0), try start(files.count - 1))
    guard shares.allSatisfy({ $0.shape == shares[0].shape }), first == last else {
      throw failure(name, "expected the same plain tensor in all ranks, or a DTensor, found different plain tensors")
    }
  }

  private func incomplete(_ name: String, _ shares: [TensorEntry]) -> FileError {
    failure(
      name,
      "expected shares that make a tensor of shape \(shares[0].piece?.wholeShape ?? []), found shapes "
        + shares.prefix(8).map { "\($0.shape)" }.joined(separator: ", "))
  }

  private func failure(_ name: String, _ problem: String) -> FileError {
    FileError(
      .badContent, path: folder, object: "tensor " + FileError.quoted(name), problem,
      remedy: "Copy the files of all ranks of one checkpoint again")
  }
}
