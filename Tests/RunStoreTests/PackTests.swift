import Adapters
import Foundation
import RunStore
import TestSupport
import Testing
import Weights

/// A run in one file: everything is in it, and it becomes the same run folder again.
@Suite struct PackTests {
  private let folder = try! TemporaryFolder()
  private let path: String
  private let pack: String

  init() throws {
    path = folder.path("run")
    pack = folder.path("run-packed.h5")
    try SampleRun.write(to: path, wallTime: 1_700_000_000.25)
    try AnalysisFile.write(sample, to: path + "/analysis.h5")
    try RunPack.write(path, to: pack)
  }

  @Test func theFolderComesBackByteForByte() throws {
    let back = folder.path("back")
    try RunPack.unpack(pack, to: back)
    let names = [
      "run.h5", "training.jsonl", "training.h5", "analysis.h5", "checkpoints/00000000.h5", "checkpoints/00000005.h5",
      "checkpoints/00000010.h5",
    ]
    for name in names { #expect(try bytes(of: back + "/" + name) == bytes(of: path + "/" + name), "\(name)") }
    #expect(try RunFolder(path: back).steps == [0, 5, 10])
    #expect(try AnalysisFile.read(from: back + "/analysis.h5") == AnalysisFile.read(from: path + "/analysis.h5"))
  }

  /// The log that was joined to the analysis is another thing than what the run has recorded.
  @Test func aJoinedLogComesBackWithItsAnalysis() throws {
    var analysis = sample
    analysis.training = try log(#"{"step":1,"loss":NaN}"# + "\n").records
    try AnalysisFile.write(analysis, to: path + "/analysis.h5")
    try RunPack.write(path, to: pack)
    try RunPack.unpack(pack, to: folder.path("back"))
    #expect(try AnalysisFile.read(from: folder.path("back/analysis.h5")) == analysis)
    #expect(try bytes(of: folder.path("back/training.h5")) == bytes(of: path + "/training.h5"))
  }

  @Test func whatIsNotThereStaysAway() throws {
    for name in ["analysis.h5", "training.jsonl", "training.h5"] {
      try FileManager.default.removeItem(atPath: path + "/" + name)
    }
    try RunPack.write(path, to: pack)
    try RunPack.unpack(pack, to: folder.path("back"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path("back")).sorted() == ["checkpoints", "run.h5"])
  }

  /// A line without its end is one that a killed run has left.
  @Test func aTornRecordStaysBehind() throws {
    let records = path + "/training.jsonl"
    let whole = try bytes(of: records)
    try PendingFile.write(whole + Array("{\"step\": 11, \"rew".utf8), to: records)
    try RunPack.write(path, to: pack)
    try RunPack.unpack(pack, to: folder.path("back"))
    #expect(try bytes(of: folder.path("back/training.jsonl")) == whole)
  }

  @Test func onlyAPackIsOne() throws {
    #expect(try RunPack.isPack(at: pack))
    #expect(try !RunPack.isPack(at: path + "/run.h5") && !RunPack.isPack(at: path + "/analysis.h5"))
    let error = fileError { () throws(FileError) in try RunPack.unpack(path + "/run.h5", to: folder.path("back")) }
    #expect(
      error?.description
        == "\(path)/run.h5: /: expected a packed run (format 'spectroscope-pack'), found one of format "
        + "'spectroscope-run'. Make one with `spectroscope pack`")
  }

  @Test func aDamagedCheckpointIsNamed() throws {
    let checkpoint = path + "/checkpoints/00000005.h5"
    try PendingFile.write(Array(bytes(of: checkpoint).dropLast(1000)), to: checkpoint)
    let error = fileError { () throws(FileError) in try RunPack.write(path, to: folder.path("other.h5")) }
    #expect(error?.path == checkpoint && error?.kind == .badContent)
    #expect(!FileManager.default.fileExists(atPath: folder.path("other.h5")))
  }

  @Test(.enabled(if: PeerTests.hasH5py, "python3-h5py")) func h5pyOpensIt() throws {
    try FileManager.default.removeItem(atPath: path)
    let script = """
      import sys, json, h5py, numpy as np
      f = h5py.File(sys.argv[1])
      a = f.attrs
      assert a["format"] == "spectroscope-pack" and a["format_version"] == 1 and a["method"] == "lora", dict(a)
      assert a["base_id"] == "ab" * 32 and json.loads(f["config"][()])["learning_rate"] == 0.001
      assert sorted(f["checkpoints"], key=int) == ["0", "5", "10"]
      assert all(isinstance(f["checkpoints"].get(n, getlink=True), h5py.HardLink) for n in f["checkpoints"])
      c = f["checkpoints/5"]
      assert c.attrs["step"] == 5 and c["layers.2.q_proj/lora_B"].shape == (4, 2)
      np.testing.assert_array_equal(f["initial/layers.2.q_proj/lora_A"], f["checkpoints/0/layers.2.q_proj/lora_A"])
      assert f["training/step"][:].tolist() == list(range(1, 11))
      assert len(f["training_jsonl"][()].decode().splitlines()) == 10
      assert f[a["default"]].attrs["default"] == "init" and f["analysis"].attrs["source"] == "runs/größe"
      assert f["analysis/init/step"] == f["analysis/step"] and len(json.loads(f["findings"][()])) >= 1
      """
    let (status, output) = try PeerTests.run([PeerTests.python, "-W", "error", "-c", script, pack])
    #expect(status == 0, "\(output)")
  }
}
