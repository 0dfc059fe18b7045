import Adapters
import Foundation
import OrderedCollections
import RunStore
import Testing
import Weights

/// Other people's readers see a run through `run.h5`, its checkpoints by themselves, and what training recorded.
@Suite struct RunPeerTests {
  /// Runs a script, whose assertions are the test, in the folder that holds the sample's run.
  private func check(_ script: String) throws {
    try withFolder { folder in
      try SampleRun.write(to: folder + "/run", wallTime: 1_700_000_000.25)
      // From elsewhere: external links are relative to the file that holds them.
      let (status, output) = try PeerTests.run(
        [PeerTests.python, "-W", "error", "-c", "import sys; run = sys.argv[1]\n" + script, folder + "/run"])
      #expect(status == 0, "\(output)")
    }
  }

  @Test(.enabled(if: PeerTests.hasH5py, "python3-h5py")) func h5pyFollowsTheIndex() throws {
    try check(
      """
      import h5py, hashlib, json, numpy as np
      f = h5py.File(run + "/run.h5")
      a = f.attrs
      assert a["format"] == "spectroscope-run" and a["format_version"] == 1, dict(a)
      assert (a["method"], a["rank"], a["alpha"], a["scaling"], a["seed"]) == ("lora", 2, 4.0, 2.0, 42)
      assert a["task"] == "arithmetic" and a["base"] == "bases/größe" and a["base_id"] == "ab" * 32
      assert a["created_by"] == "spectroscope 0.0"
      config = json.loads(f["config"][()])
      assert config == dict(method="lora", learning_rate=0.001, note='größe "x"', targets=["q_proj", "größe"]), config
      assert sorted(f["checkpoints"], key=int) == ["0", "5", "10"]
      link = f["checkpoints"].get("5", getlink=True)
      assert (link.filename, link.path) == ("checkpoints/00000005.h5", "/"), (link.filename, link.path)
      for step in [0, 5, 10]:
          c = f["checkpoints"][str(step)]
          assert c.file.filename.endswith(f"/checkpoints/{step:08d}.h5")
          assert sorted(c) == ["layers.10.größe", "layers.2.q_proj"]
          b = c["layers.2.q_proj/lora_B"]
          assert b.dtype == np.float32 and b.shape == (4, 2) and b.chunks is None
          expected = np.array([(i + 1) * 7 * (step + 1) / 3 for i in range(8)], np.float32).reshape(4, 2)
          np.testing.assert_array_equal(b[:], expected)
          assert c["layers.10.größe/lora_A"].shape == (2, 3)
      start = f["initial"]
      assert start.attrs["sha256"] == f["checkpoints/0"].attrs["sha256"]
      np.testing.assert_array_equal(start["layers.2.q_proj/lora_A"], f["checkpoints/0/layers.2.q_proj/lora_A"])
      """)
  }

  @Test(.enabled(if: PeerTests.hasH5py, "python3-h5py")) func h5pyReadsACheckpointByItself() throws {
    try check(
      """
      import h5py, hashlib, json
      f = h5py.File(run + "/checkpoints/00000010.h5")
      a = f.attrs
      assert a["format"] == "spectroscope-checkpoint" and a["format_version"] == 1
      assert a["step"] == 10 and a["wall_time"] == 1700000000.25
      assert a["method"] == "lora" and a["rank"] == 2 and a["base"] == "bases/größe"
      assert json.loads(a["config"])["learning_rate"] == 0.001
      digest = hashlib.sha256()
      for module in f:
          for tensor in f[module]:
              digest.update(f[module][tensor][...].tobytes())
      assert a["sha256"] == digest.hexdigest()
      """)
  }

  @Test(.enabled(if: PeerTests.hasH5py, "python3-h5py")) func h5pyReadsTheRecords() throws {
    try check(
      """
      import h5py, numpy as np
      f = h5py.File(run + "/training.h5")
      assert f.attrs["format"] == "spectroscope-training" and f.attrs["format_version"] == 1
      g = f[f.attrs["default"]]
      assert g.attrs["NX_class"] == "NXdata" and g.attrs["signal"] == "reward" and g.attrs["axes"].tolist() == ["step"]
      assert sorted(g) == ["clip_ratio_region_mean", "kl", "module", "module_norm", "reward", "step", "title"]
      assert g["step"].dtype == np.int64 and g["step"][:].tolist() == list(range(1, 11))
      assert g["reward"].dtype == np.float64 and g["reward"].dims[0][0] == g["step"]
      np.testing.assert_array_equal(g["reward"][:], np.arange(1, 11) / 7)
      np.testing.assert_array_equal(g["kl"][:], [np.nan] + [0.25] * 9)
      assert g["module"].asstr()[:].tolist() == ["layers.2.q_proj", "layers.10.größe"]
      n = g["module_norm"]
      assert n.dims[0][0] == g["step"] and n.dims[1][0] == g["module"]
      np.testing.assert_array_equal(n[:], [[0.125, t] for t in range(1, 11)])
      """)
  }

  @Test(.enabled(if: PeerTests.hasXarray, "python3-xarray python3-h5netcdf")) func xarrayShowsLabels() throws {
    try check(
      """
      import xarray
      d = xarray.open_dataset(run + "/training.h5", group="training", engine="h5netcdf")
      assert dict(d.sizes) == dict(step=10, module=2), d
      assert float(d.reward.sel(step=7)) == 1.0 and d.kl.isnull().values.tolist() == [True] + [False] * 9
      assert float(d.module_norm.sel(step=4, module="layers.10.größe")) == 4
      c = xarray.open_dataset(run + "/checkpoints/00000005.h5", group="layers.2.q_proj", engine="h5netcdf",
          phony_dims="access")
      assert c.lora_B.shape == (4, 2)
      """)
  }

  @Test(.enabled(if: PeerTests.hasH5dump, "hdf5-tools")) func h5dumpFollowsTheLinks() throws {
    try withFolder { folder in
      try SampleRun.write(to: folder + "/run")
      func dump(_ arguments: String...) throws -> String {
        let (status, output) = try PeerTests.run([PeerTests.h5dump] + arguments)
        #expect(status == 0, "\(output)")
        return output
      }
      let index = folder + "/run/run.h5"
      #expect(try dump("-a", "/base_id", index).contains(SampleRun.identity.baseID))
      #expect(try dump("-d", "/checkpoints/5/layers.2.q_proj/lora_B", "-y", index).contains("14, 28"))
      _ = try dump(index)
      #expect(try dump(folder + "/run/checkpoints/00000005.h5").contains("GROUP \"layers.2.q_proj\""))
      #expect(try dump("-d", "/training/step", "-y", folder + "/run/training.h5").contains("1, 2, 3, 4, 5, 6"))
    }
  }

  /// A run as the format's description alone would have it written: what is not described may be missing.
  @Test(.enabled(if: PeerTests.hasH5py, "python3-h5py")) func whatH5pyWritesIsARun() throws {
    let script = """
      import sys, os, json, hashlib, h5py, numpy as np
      run = sys.argv[1]
      os.makedirs(run + "/checkpoints")
      def tensors(group, step):
          digest = hashlib.sha256()
          for module in ["layers.2.q_proj", "layers.10.größe"]:
              group[module + "/lora_A"] = np.full((2, 3), step + 1, np.float32)
              group[module + "/lora_B"] = np.full((4, 2), step, np.float32)
          for module in group:
              for tensor in group[module]:
                  digest.update(group[module][tensor][...].tobytes())
          return digest.hexdigest()
      for step in [0, 7]:
          with h5py.File(f"{run}/checkpoints/{step:08d}.h5", "w") as f:
              f.attrs["sha256"] = tensors(f, step)
              f.attrs["step"] = step
              f.attrs["wall_time"] = 12
      with h5py.File(run + "/run.h5", "w") as f:
          f.attrs.update(format="spectroscope-run", format_version=1, method="lora", rank=2, alpha=4, scaling=2.0, seed=3,
              task="t", base_id="", created_by="h5py")
          f["config"] = json.dumps({"steps": 7})
          tensors(f.create_group("initial"), 0)
          f["checkpoints/7"] = h5py.ExternalLink("checkpoints/00000007.h5", "/")
      """
    try withFolder { folder in
      let (status, output) = try PeerTests.run([PeerTests.python, "-c", script, folder + "/run"])
      try #require(status == 0, "\(output)")
      let run = try RunFolder(path: folder + "/run")
      #expect(run.indexError == nil && run.steps == [0, 7])
      #expect(run.identity.method == "lora" && run.identity.alpha == 4 && run.identity.base == "")
      let checkpoint = try run.checkpoint(at: 7)
      #expect(checkpoint.identity == nil && checkpoint.wallTime == 12)
      #expect(checkpoint.snapshot.modules.values.first?.last?.values == Array(repeating: 7, count: 8))
      let extracted = try ExtractedRun(of: folder + "/run")
      #expect(extracted.steps == [0, 7] && extracted.remarks.isEmpty)
      try FileManager.default.removeItem(atPath: folder + "/run/checkpoints/00000000.h5")
      #expect(try RunFolder(path: folder + "/run").initial().modules.count == 2)
    }
  }
}
