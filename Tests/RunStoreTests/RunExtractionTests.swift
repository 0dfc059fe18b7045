import Adapters
import Foundation
import LinearAlgebra
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// The checkpoints of a run as a series of PEFT adapters, with what is wrong with it.
@Suite struct RunExtractionTests {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path("run")
    try SampleRun.write(to: path)
  }

  private func checkpoint(_ step: Int) -> String { path + "/" + RunLayout.checkpoint(step) }

  @Test func checkpointsBecomeAdapters() throws {
    let run = try ExtractedRun(of: path + "/")
    #expect(run.path == path && run.identity == SampleRun.identity && run.steps == [0, 5, 10])
    #expect(run.damaged.isEmpty && run.indexError == nil && run.remarks.isEmpty)
    let series = try CheckpointSeries(path: run.folder)
    #expect(series.checkpoints.map(\.step) == [0, 5, 10] && series.remarks.isEmpty)
    for checkpoint in series.checkpoints {
      let adapter = try AdapterFolder(path: checkpoint.path)
      #expect(adapter.method == .lora && adapter.remarks.isEmpty && adapter.skippedModules.isEmpty)
      #expect(adapter.configuration.rank == 2 && adapter.configuration.alpha == 4)
      #expect(adapter.modules.map(\.path).sorted() == SampleRun.modules.sorted())
      for module in adapter.modules {
        let tensors = try #require(SampleRun.snapshot(checkpoint.step).modules[module.path])
        let factors = try adapter.factors(of: module)
        #expect(factors.scaling == 2 && factors.a.elements == tensors[0].values.map(Double.init))
        #expect(factors.b.elements == tensors[1].values.map(Double.init) && factors.b.rows == 4)
      }
    }
  }

  /// The scaling is the run's whatever its α says, since analysis multiplies by it.
  @Test(
    arguments: [
      ("lora", 4, 8.0, 2.0), ("rslora", 4, 8.0, 4.0), ("rank1", 1, 8.0, 2.0), ("lora", 3, 1.0, 1.0 / 3),
      ("milora", 4, 7.0, 1.0),
      ("pissa", 4, 4.0, 1.0),
    ] as [(String, Int, Double, Double)])
  func theScalingIsTheRuns(method: String, rank: Int, alpha: Double, scaling: Double) throws {
    var identity = SampleRun.identity
    (identity.method, identity.rank, identity.alpha, identity.scaling) = (method, rank, alpha, scaling)
    try PEFTFolder.write(SampleRun.snapshot(3), of: identity, to: folder.path("checkpoint-3"))
    let adapter = try AdapterFolder(path: folder.path("checkpoint-3"))
    #expect(adapter.configuration.scaling(of: SampleRun.modules[0]) == scaling)
    #expect(adapter.configuration.rank == rank)
    #expect(adapter.method == (method == "rslora" ? .rslora : method == "pissa" ? .pissa : .lora))
  }

  @Test func wholeWeightsAreModulesToSave() throws {
    var identity = SampleRun.identity
    (identity.method, identity.rank, identity.alpha, identity.scaling) = ("full", nil, nil, nil)
    let tensor = AdapterSnapshot.Tensor(name: "weight", shape: [2, 3], values: [1, 2, 3, 4, 5, 6])
    let snapshot = AdapterSnapshot(step: 1, modules: ["layers.0.q_proj": [tensor]])
    try PEFTFolder.write(snapshot, of: identity, to: folder.path("checkpoint-1"))
    let adapter = try AdapterFolder(path: folder.path("checkpoint-1"))
    #expect(adapter.remarks.isEmpty && adapter.configuration.modulesToSave == ["layers.0.q_proj"])
    let module = try #require(adapter.modules.first)
    #expect(module.path == "layers.0.q_proj" && module.rank == nil)
    #expect(try adapter.savedWeight(of: module).elements == [1, 2, 3, 4, 5, 6])
  }

  /// A start by a randomised decomposition must not be taken for one that the base gives again.
  @Test(arguments: [(nil, PEFTConfiguration.Initialization.pissa), (4, .subtracted("pissa_niter_4"))] as [(Int?, _)])
  func theStartOfPiSSAKeepsItsName(iterations: Int?, initialization: PEFTConfiguration.Initialization) throws {
    var identity = SampleRun.identity
    identity.method = "pissa"
    identity.configuration = ["pissa_iterations": iterations.map(JSONValue.integer) ?? .null]
    try PEFTFolder.write(SampleRun.snapshot(3), of: identity, to: folder.path("checkpoint-3"))
    #expect(try AdapterFolder(path: folder.path("checkpoint-3")).configuration.initialization == initialization)
  }

  @Test func aCheckpointOfAnotherRunIsNamed() throws {
    var identity = SampleRun.identity
    identity.scaling = 4
    try RunCheckpoint(identity: identity, snapshot: SampleRun.snapshot(5)).write(to: checkpoint(5))
    let run = try ExtractedRun(of: path)
    let base = "base \"abababababab\""
    #expect(run.steps == [0, 10])
    #expect(
      run.damaged.first?.error.description
        == "\(checkpoint(5)): /: expected an adapter of its run (\"lora\", rank 2, α 4.0, scaling 2.0, \(base)), found one of "
        + "another (\"lora\", rank 2, α 4.0, scaling 4.0, \(base)). Are there two runs in this folder? Take the checkpoints of "
        + "the other one out")
  }

  @Test func damageIsNamedAndLeftOut() throws {
    try PendingFile.write(Array(bytes(of: checkpoint(5)).dropLast(1000)), to: checkpoint(5))
    let run = try ExtractedRun(of: path)
    #expect(run.steps == [0, 10] && run.damaged.map(\.step) == [5])
    #expect(run.damaged[0].error.path == checkpoint(5) && run.damaged[0].error.kind == .badContent)
    #expect(try CheckpointSeries(path: run.folder).checkpoints.map(\.step) == [0, 10])
    #expect(run.remarks.map(\.kind) == [.damagedCheckpoint] && run.remarks[0].step == 5)
    #expect(run.remarks[0].message.hasPrefix(checkpoint(5) + ": expected an HDF5 file"))
  }

  /// The index has the adapter of step 0, and every checkpoint has the identity.
  @Test func whatOneFileLosesAnotherOneHas() throws {
    try FileManager.default.removeItem(atPath: checkpoint(0))
    let start = try ExtractedRun(of: path)
    #expect(start.steps == [5, 10] && start.damaged.isEmpty)
    #expect(try CheckpointSeries(path: start.folder).checkpoints.map(\.step) == [0, 5, 10])
    try FileManager.default.removeItem(atPath: path + "/run.h5")
    let rest = try ExtractedRun(of: path)
    #expect(rest.identity == SampleRun.identity && rest.indexError?.kind == .cannotOpen)
    #expect(
      rest.remarks.map(\.message)
        == ["\(path)/run.h5: no such file. What it says was read from the checkpoints instead"])
    #expect(!FileManager.default.fileExists(atPath: path + "/run.h5"), "reading writes nothing")
  }

  @Test func anIndexIsMadeAgainOnDemand() throws {
    let index = try bytes(of: path + "/run.h5")
    try FileManager.default.removeItem(atPath: path + "/run.h5")
    let run = try ExtractedRun(of: path) { run, folder throws(FileError) in
      var extraction = try RunExtraction(of: run, to: folder)
      try extraction.extract(mendsIndex: true)
    }
    #expect(run.steps == [0, 5, 10])
    #expect(try bytes(of: path + "/run.h5") == index)
  }

  /// A process that dies reading a file leaves the file begun in the journal; the next one passes over it.
  @Test(arguments: ["run.h5", "checkpoints/00000000.h5", "checkpoints/00000005.h5"])
  func afterACrashTheRestIsRead(name: String) throws {
    let run = try ExtractedRun(of: path) { run, folder throws(FileError) in
      try PendingFile.write("{\"begin\":\"\(name)\"}\n", to: folder + "/extraction.jsonl")
      var extraction = try RunExtraction(of: run, to: folder)
      try extraction.extract()
    }
    let steps = [0, 5, 10].filter { RunLayout.checkpoint($0) != name }
    #expect(run.identity == SampleRun.identity && run.steps == steps)
    #expect(
      try CheckpointSeries(path: run.folder).checkpoints.map(\.step)
        == (name.hasSuffix("5.h5") ? [0, 10] : [0, 5, 10]))
    let error = try #require(name == "run.h5" ? run.indexError : run.damaged.first?.error)
    #expect(
      error.description
        == "\(path)/\(name): expected a file of a run, found a damaged or unsafe HDF5 file: reading it crashes HDF5. "
        + "Restore the file from a copy")
  }

  @Test func aRunWithoutASoundFileIsAnError() throws {
    for step in [0, 5, 10] { try PendingFile.write("damaged", to: checkpoint(step)) }
    let onlyIndex = try ExtractedRun(of: path)
    #expect(onlyIndex.steps.isEmpty && onlyIndex.damaged.count == 3)
    try PendingFile.write("damaged", to: path + "/run.h5")
    let error = fileError { () throws(FileError) in try ExtractedRun(of: path) }
    #expect(error?.path == checkpoint(0) && error?.kind == .badContent)
    let none = fileError { () throws(FileError) in try ExtractedRun(of: folder.path("none")) }
    #expect(none?.path == folder.path("none/run.h5") && none?.kind == .cannotOpen)
  }

  @Test func nothingIsLeftBehind() throws {
    var run: ExtractedRun? = try ExtractedRun(of: path)
    let temporary = try #require(run?.folder)
    #expect(FileManager.default.fileExists(atPath: temporary))
    run = nil
    #expect(!FileManager.default.fileExists(atPath: temporary))
    // The same where there was no run.
    var seen = ""
    _ = fileError { () throws(FileError) in
      try ExtractedRun(of: folder.path("none")) { _, folder throws(FileError) in seen = folder }
    }
    #expect(!seen.isEmpty && !FileManager.default.fileExists(atPath: seen))
  }

  @Test func messagesNameTheRunsFiles() throws {
    let run = try ExtractedRun(of: path)
    let copy = run.folder + "/checkpoint-10"
    #expect(run.named("a \(copy)/adapter_model.safetensors: b") == "a \(checkpoint(10)): b")
    #expect(run.named("\(copy)/adapter_config.json, \(copy)") == "\(checkpoint(10)), \(checkpoint(10))")
    #expect(run.named("in \(run.folder) itself") == "in \(path) itself")
    #expect(run.named("tensor \"base_model.model.a.lora_A.weight\"") == "tensor \"a.lora_A.weight\"")
    #expect(run.named("nothing of it") == "nothing of it")
  }
}
