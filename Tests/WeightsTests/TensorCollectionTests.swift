import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

@Suite struct TensorCollectionTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func compare(_ collection: TensorCollection, _ reference: String) throws {
    let expected = try ReaderReferences.expected(reference)
    #expect(Set(collection.tensors.keys) == Set(expected.map(\.name)))
    for (name, tensor) in expected {
      let entry = try collection.entry(name)
      #expect(entry.shape == tensor.shape && entry.elementType.rawValue == tensor.type, "\(name)")
      #expect(entry.elementCount == tensor.shape.reduce(1, *))
      let values = try collection.readFinite(name, as: Double.self)
      #expect(ReaderReferences.digest(values) == tensor.values, "\(name)")
      #expect(try collection.read(name, as: Float.self) == values.map(Float.init))
      #expect(isClose(try collection.frobeniusNorm(of: name), try #require(tensor.norm)), "\(name)")
      #expect(try collection.countNonFinite(of: name).total == values.count)
      try compareParts(of: collection, name, values)
    }
  }

  private func compareParts(of collection: TensorCollection, _ name: String, _ whole: [Double]) throws {
    let shape = try collection.entry(name).shape
    guard let rows = shape.first else { return }
    let width = shape.dropFirst().reduce(1, *)
    for top in 0...rows {
      for bottom in top...min(top + 3, rows) {
        #expect(
          try collection.readRows(name, rows: top..<bottom, as: Double.self)
            == [Double](whole[top * width..<bottom * width]), "\(name)")
        guard shape.count == 2 else { continue }
        for (left, right) in [(0, width), (1, width), (width / 2, width - 1)] where left <= right {
          #expect(
            try collection.readRectangle(name, rows: top..<bottom, columns: left..<right, as: Double.self)
              == part(of: whole, width: width, rows: top..<bottom, columns: left..<right), "\(name)")
        }
      }
    }
  }

  @Test(arguments: ["fsdp2", "fsdp2-uneven", "hsdp", "fsdp1", "fsdp1-mesh", "axes"])
  func ranksOfADistributedRun(name: String) throws {
    let path = ReaderReferences.path(name + "/actor")
    #expect(TensorCollection.hasRanks(in: path))
    let collection = try TensorCollection(path: path)
    #expect(collection.path == path)
    #expect(collection.files.count == (["fsdp2", "fsdp1-mesh", "axes"].contains(name) ? 2 : 4))
    try compare(collection, name + "/actor")
  }

  @Test func partsOfAStack() throws {
    let collection = try TensorCollection(path: ReaderReferences.path("axes/actor"))
    let whole = try collection.read("middle", as: Double.self)
    let read = try collection.readRectangle("middle", rows: 3..<13, columns: 1..<2, as: Double.self)
    #expect(read == part(of: whole, width: 2, rows: 3..<13, columns: 1..<2))
  }

  @Test func oneFile() throws {
    let collection = try TensorCollection(path: ReaderReferences.path("adapter/adapter_model.bin"))
    #expect(!TensorCollection.hasRanks(in: ReaderReferences.path("adapter")))
    try compare(collection, "adapter/adapter_model.bin")
  }

  @Test func shardsByIndexAndWithout() throws {
    let base = ReaderReferences.path("base-sharded/")
    try compare(TensorCollection(path: base + "pytorch_model.bin.index.json"), "base-sharded")
    let files = try (1...2).map { try TensorFile(path: base + "pytorch_model-0000\($0)-of-00002.bin") }
    try compare(TensorCollection(files: files, path: base), "base-sharded")
    let error = #expect(throws: FileError.self) { try TensorCollection(files: [files[0], files[0]], path: base) }
    #expect(error?.problem.hasPrefix("expected every tensor in one file, found it in ") == true)
  }

  @Test func unknownTensor() throws {
    let collection = try TensorCollection(path: ReaderReferences.path("fsdp2-uneven/actor"))
    let error = #expect(throws: FileError.self) { try collection.read("v", as: Double.self) }
    #expect(error?.object == #"tensor "v""# && error?.path == collection.path)
  }

  @Test func aRankAloneIsNoModel() throws {
    let path = ReaderReferences.path("fsdp2/actor/model_world_size_2_rank_0.pt")
    let file = try TensorFile(path: path)
    #expect(file.tensors.values.allSatisfy { $0.piece?.isWhole == false })
    for open in [{ _ = try TensorCollection(path: path) }, { _ = try BaseModel(path: path) }] {
      let error = #expect(throws: FileError.self) { try open() }
      #expect(error?.problem.contains("found one rank's share of shape") == true)
      #expect(error?.remedy == "Give the folder with the files of all ranks")
    }
  }

  /// Copies ranks of the run of four to another name.
  private func copy(_ ranks: [(from: Int, to: String)]) throws {
    for (rank, name) in ranks {
      let source = ReaderReferences.path("fsdp2-uneven/actor/model_world_size_4_rank_\(rank).pt")
      try FileManager.default.copyItem(atPath: source, toPath: folder.path(name))
    }
  }

  private func problem() throws -> FileError {
    try #require(throws: FileError.self) { try TensorCollection(path: folder.path) }
  }

  @Test func aMissingRankIsNamed() throws {
    try copy([0, 1, 3].map { ($0, "model_world_size_4_rank_\($0).pt") })
    let error = try problem()
    #expect(error.object == "model_world_size_4_rank_2.pt")
    #expect(error.problem == "expected the files of 4 ranks, found 3, rank 2 missing")
  }

  @Test func theLastRankIsMissing() throws {
    try copy([0, 1, 2].map { ($0, "model_world_size_4_rank_\($0).pt") })
    #expect(try problem().problem == "expected the files of 4 ranks, found 3, rank 3 missing")
  }

  @Test func twoRunsInAFolder() throws {
    try copy([(0, "model_world_size_4_rank_0.pt"), (0, "model_world_size_2_rank_0.pt")])
    #expect(try problem().problem == "expected files of 2 ranks, found one of 4 as well")
  }

  @Test func aRankBeyondTheWorld() throws {
    try copy([(0, "model_world_size_1_rank_0.pt"), (0, "model_world_size_1_rank_1.pt")])
    #expect(try problem().problem == "expected ranks below 1, found rank 1")
  }

  @Test func anotherWorldThanTheFilesSay() throws {
    try copy([(0, "model_world_size_2_rank_0.pt"), (1, "model_world_size_2_rank_1.pt")])
    #expect(try problem().problem == "expected shares of 2 ranks, as the files are named, found a grid [4]")
  }

  @Test func theSameRankTwice() throws {
    try copy([0, 1, 2, 3].map { ($0 == 3 ? 0 : $0, "model_world_size_4_rank_\($0).pt") })
    #expect(try problem().problem.hasPrefix("expected shares that make a tensor of shape [3, 8], found shapes "))
  }

  @Test func noRanks() throws {
    #expect(try problem().problem == "expected files model_world_size_W_rank_R.pt, found none")
  }

  // MARK: - Forms of other versions of torch

  /// Two ranks' shares [2, 3] of a DTensor [4, 3] with a description of the grid.
  private func writeRanks(
    _ module: String, mesh: [(String, [UInt8])], type: String, placements: [[UInt8]]? = nil,
    whole: [Int] = [4, 3], share: [Int] = [2, 3]
  ) throws {
    typealias P = RawPickle
    let shard = P.object(module + ".placement_types.Shard", [("dim", P.integer(0))])
    let strides = share.indices.map { share[($0 + 1)...].reduce(1, *) }
    let state = [
      ("mesh", P.object("torch.distributed.device_mesh.DeviceMesh", mesh)),
      ("placements", P.tuple(placements ?? [shard])),
    ]
    let attributes = [
      ("_local_tensor", P.tensor(share, strides)), ("_spec", P.object(module + "._dtensor_spec.DTensorSpec", state)),
    ]
    let tensor = P.call(
      "torch._tensor._rebuild_from_type_v2",
      [
        P.global("torch._utils._rebuild_wrapper_subclass"), P.global(type),
        P.tuple([P.global(type), P.global("torch.float32"), P.integers(whole)]), P.dictionary(attributes),
      ])
    let bytes = torchArchive(pickle: P.whole(P.dictionary([("w", tensor)])))
    for rank in 0..<2 { try folder.write("model_world_size_2_rank_\(rank).pt", bytes) }
  }

  @Test func otherFormsOfTheGrid() throws {
    let tensor = RawPickle.tensor([2], [1], count: 2, type: "torch.IntStorage", key: "1")
    let layout = RawPickle.object(
      "torch.distributed._mesh_layout._MeshLayout",
      [("shape", RawPickle.integers([2])), ("stride", RawPickle.integers([1]))])
    let old = "torch.distributed._tensor"
    let forms = [
      (old, [("mesh", tensor)], old + ".api.DTensor"),
      (
        "torch.distributed.tensor", [("_layout", layout)],
        "torch.distributed.tensor.DTensor"
      ), (old, [], "torch.distributed.tensor._api.DTensor"),
    ]
    for (module, mesh, type) in forms {
      try writeRanks(module, mesh: mesh, type: type)
      let collection = try TensorCollection(path: folder.path)
      #expect(try collection.read("w", as: Float.self) == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5])
    }
  }

  @Test(arguments: [
    ([4, 3, 1], [2, 3, 1], 0), ([2, 3, 2], [1, 3, 2], 0), ([2, 1, 6], [2, 1, 3], 2), ([1, 4, 3], [1, 2, 3], 1),
  ])
  func stacksCutAlongEachAxis(whole: [Int], share: [Int], axis: Int) throws {
    let module = "torch.distributed.tensor"
    let shard = RawPickle.object(module + ".placement_types.Shard", [("dim", RawPickle.integer(axis))])
    try writeRanks(
      module, mesh: [], type: module + ".DTensor", placements: [shard], whole: whole, share: share)
    let collection = try TensorCollection(path: folder.path)
    let values = try collection.read("w", as: Double.self)
    #expect(values == (axis == 2 ? [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5] : [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]))
    let (height, width) = (whole[0] * whole[1], whole[2])
    for top in 0..<height {
      for left in 0..<width {
        let (rows, columns) = (top..<height, left..<width)
        let read = try collection.readRectangle("w", rows: rows, columns: columns, as: Double.self)
        #expect(read == part(of: values, width: width, rows: rows, columns: columns))
      }
    }
    let row = whole[1] * whole[2]
    let last = try collection.readRows("w", rows: whole[0] - 1..<whole[0], as: Double.self)
    #expect(last == [Double](values[(values.count - row)...]))
  }

  @Test func placementsThatMakeNoTensor() throws {
    let module = "torch.distributed.tensor"
    func shard(_ axis: Int) -> [UInt8] {
      RawPickle.object(module + ".placement_types.Shard", [("dim", RawPickle.integer(axis))])
    }
    let cases = [
      ([shard(0), shard(1)] as [[UInt8]], "expected a tensor cut along one axis"),
      ([shard(2)], "expected a tensor cut"),
      ([shard(-1)], "expected a tensor cut along one axis"), ([RawPickle.integer(0)], "expected a placement"),
      ([], "expected the placements of a DTensor"), ([shard(1)], "expected shares that make a tensor of shape [4, 3]"),
    ]
    let grid = [("mesh", RawPickle.tensor([2, 1], [1, 1], count: 2, type: "torch.IntStorage", key: "1"))]
    for (placements, expected) in cases {
      try writeRanks(module, mesh: placements.count == 2 ? grid : [], type: module + ".DTensor", placements: placements)
      let error = try problem()
      #expect(error.kind == .badContent && error.object == #"tensor "w""#)
      #expect(error.problem.hasPrefix(expected), "\(error.problem)")
    }
  }

  @Test func sumsThatAreStillPendingAreRefused() throws {
    let partial = RawPickle.object("torch.distributed.tensor.placement_types.Partial", [])
    try writeRanks(
      "torch.distributed.tensor", mesh: [], type: "torch.distributed.tensor.DTensor", placements: [partial])
    #expect(try problem().object == #"global "torch.distributed.tensor.placement_types.Partial""#)
  }
}
