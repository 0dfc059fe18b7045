import Foundation
import RunStore
import Testing
import Weights

/// Other people's readers see the numbers, names and dimensions that were written, without anything of ours.
@Suite struct PeerTests {
  static let python = "/usr/bin/python3"
  static let h5dump = "/usr/bin/h5dump"
  static let hasH5py = succeeds([python, "-c", "import h5py"])
  static let hasXarray = succeeds([python, "-c", "import xarray, h5netcdf"])
  static let hasH5dump = FileManager.default.isExecutableFile(atPath: h5dump)

  static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: arguments[0])
    process.arguments = Array(arguments.dropFirst())
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }

  private static func succeeds(_ arguments: [String]) -> Bool {
    (try? run(arguments))?.status == 0
  }

  /// Runs a script, whose assertions are the test, on the sample's file.
  private func check(_ script: String) throws {
    try withFolder { folder in
      let path = "\(folder)/analysis.h5"
      try AnalysisFile.write(sample, to: path)
      let (status, output) = try Self.run([Self.python, "-W", "error", "-c", script, path])
      #expect(status == 0, "\(output)")
    }
  }

  @Test(.enabled(if: hasH5py, "python3-h5py")) func h5pyReadsEverything() throws {
    try check(
      """
      import sys, json, math, h5py, numpy as np
      f = h5py.File(sys.argv[1])
      a = f.attrs
      assert a["format"] == "spectroscope-analysis" and a["format_version"] == 1, dict(a)
      assert a["source"] == "runs/größe" and a["base"] == "base" and a["created_by"] == "spectroscope 0.0"
      assert a["depth"] == "full" and a["coverage"] == "2 of 2 checkpoints"
      assert f[a["default"]].attrs["default"] == "init" and f["analysis"].attrs["NX_class"] == "NXentry"
      modules = f["analysis/module"].asstr()[:].tolist()
      assert modules == ["layers.2.q_proj", "layers.10.größe.层", "lm_head"], modules
      assert f["analysis/step"][:].tolist() == [5, 20] and f["analysis/step"].dtype == np.int64
      assert f["analysis/index"][:].tolist() == [0, 1, 2]
      g = f["analysis/init"]
      assert g["step"] == f["analysis/step"] and g["module"] == f["analysis/module"]
      nan = math.nan
      np.testing.assert_array_equal(g["relative_norm"][:], [[0.5, nan, nan], [0.1, 1 / 3, nan]])
      np.testing.assert_array_equal(g["frobenius_norm"][:], [[52, nan, nan], [202, math.inf, nan]])
      np.testing.assert_array_equal(g["rank"][:], [[4, nan, nan], [nan, nan, nan]])
      spectra = np.full((2, 3, 3), nan)
      spectra[0, 0] = 3, 2, 0.1
      spectra[1, 0, :2] = 4, 0.2
      spectra[1, 1, 0] = 7
      np.testing.assert_array_equal(g["singular_values"][:], spectra)
      assert g["singular_values"].dtype == np.float64 and g["singular_values"].chunks is None
      for d in g.values():
          for i, name in enumerate(["step", "module", "index"][:d.ndim] if d.name.split("/")[-1] not in
                                   ("step", "module", "index") else []):
              assert d.dims[i][0] == f["analysis"][name] and d.dims[i].label == "", (d, i)
      assert g["method"].asstr()[:].tolist() == [["lora", "", ""], ["lora", "pissa", ""]]
      assert f["analysis/previous/method"].asstr()[:].tolist() == [["", "", ""], ["dora", "", ""]]
      assert g.attrs["NX_class"] == "NXdata" and g.attrs["signal"] == "relative_norm"
      assert g.attrs["axes"].tolist() == ["step", "."] and g.attrs["default_slice"].tolist() == [".", "0"]
      assert g["title"].asstr()[()] == "Weight change since initialisation"
      assert g["relative_norm"].attrs["interpretation"] == "spectrum" and g["step"].attrs["long_name"] == "training step"
      np.testing.assert_array_equal(f["analysis/base/frobenius_norm"][:], [104, 0.1, 3])
      findings = json.loads(f["findings"][()])
      assert findings[0] == dict(step=None, code="SP105", name="alpha-is-zero", severity="alert", module=None,
          value=None, threshold=None, baseline=None, p_value=None, message='α is 0: "nothing" learns\\n', effect_size=None,
          cause=None, remedy=None), findings
      assert findings[1]["value"] == 0.1 and findings[1]["threshold"] == -2e-300 and findings[1]["step"] == 20
      """)
  }

  @Test(.enabled(if: hasXarray, "python3-xarray python3-h5netcdf")) func xarrayShowsLabels() throws {
    try check(
      """
      import sys, xarray
      file = sys.argv[1]
      d = xarray.open_dataset(file, group="analysis/init", engine="h5netcdf")
      assert dict(d.sizes) == dict(step=2, module=3, index=3), d
      assert d.step.values.tolist() == [5, 20] and d.relative_norm.dims == ("step", "module")
      assert d.module.values.tolist() == ["layers.2.q_proj", "layers.10.größe.层", "lm_head"], d.module
      assert d.sel(step=20).relative_norm.values[0] == 0.1
      assert float(d.sel(step=20, module="layers.10.größe.层").relative_norm) == 1 / 3
      assert d.singular_values.dims == ("step", "module", "index")
      assert d.sel(step=5, module="layers.2.q_proj").singular_values.values.tolist() == [3, 2, 0.1]
      assert d.method.dims == ("step", "module") and d.method.values[1].tolist() == ["lora", "pissa", ""]
      b = xarray.open_dataset(file, group="analysis/base", engine="h5netcdf")
      assert b.singular_values.dims == ("module", "index"), b
      assert b.sel(module="layers.2.q_proj").singular_values.values.tolist() == [9, 8, 7, 0.25]
      u = xarray.open_dataset(file, group="analysis/updated", engine="h5netcdf")
      assert u.sel(step=20, module="layers.2.q_proj").singular_values.values.tolist() == [9, 8, 7, 0.5]
      e = xarray.open_dataset(file, group="analysis/profiles/pretrained", engine="h5netcdf")
      assert e.left.dims == ("step", "module", "bin") and e.bin.values.tolist() == list(range(11))
      assert float(e.left.sel(step=20, module="layers.2.q_proj", bin=10)) == 0.5
      assert float(e.right_null.sel(step=20, module="layers.2.q_proj", bin=9)) == 0.25
      p = xarray.open_dataset(file, group="analysis/previous", engine="h5netcdf")
      assert float(p.sel(step=20, module="layers.2.q_proj").update_velocity) == 1e-300
      b = xarray.open_dataset(file, group="analysis/base", engine="h5netcdf")
      assert float(b.sel(module="lm_head").frobenius_norm) == 3
      """)
  }

  @Test(.enabled(if: hasH5dump, "hdf5-tools")) func h5dumpPrintsValues() throws {
    try withFolder { folder in
      let path = "\(folder)/analysis.h5"
      try AnalysisFile.write(sample, to: path)
      #expect(
        try Self.run([Self.h5dump, "-d", "/analysis/init/relative_norm", "-y", path]).output.contains("0.5, nan, nan"))
      #expect(try Self.run([Self.h5dump, "-a", "/format", path]).output.contains("\"spectroscope-analysis\""))
      #expect(try Self.run([Self.h5dump, path]).status == 0)
    }
  }

  /// Each refusal needs a file that HDF5 would read, from a tool that can write it.
  @Test(.enabled(if: hasH5py, "python3-h5py")) func h5pysDangerousFilesAreRefused() throws {
    let script = """
      import sys, os, h5py, numpy as np
      os.chdir(sys.argv[1])
      other = h5py.File("other.h5", "w"); other["x"] = np.arange(4.0); other.close()
      open("raw", "wb").write(bytes(32))
      f = h5py.File("a.h5", "w")
      f.create_dataset("huge", (1 << 40,), "f8")
      f.create_dataset("huge chunks", (1 << 40,), "f8", chunks=(1 << 20,), compression="gzip")
      f.create_dataset("overflow", (1 << 40, 1 << 40), "f8", chunks=(1, 1))
      f.create_dataset("rank", (1,) * 9, "f8")
      f.create_dataset("external", (4,), "f8", external=[("raw", 0, 32)])
      layout = h5py.VirtualLayout((4,), "f8"); layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
      f.create_virtual_dataset("virtual", layout)
      f["outside"] = h5py.ExternalLink("other.h5", "/x")
      f["soft"] = h5py.SoftLink("/good")
      f.create_dataset("lzf", data=np.arange(100.0), compression="lzf")
      f["compound"] = np.zeros(2, dtype=[("a", "f8")])
      f["variable"] = ["a", "b"]
      f["latin"] = np.array([b"\\xff"], dtype=h5py.string_dtype("utf-8", 1))
      f["null"] = h5py.Empty("f8")
      f.create_dataset("good", data=np.arange(4000.0).reshape(40, 100), chunks=(7, 9), compression="gzip", shuffle=True,
          fletcher32=True)
      f.create_dataset("grown", data=np.arange(3, dtype="i4"), maxshape=(None,))
      f["big endian"] = np.array([1.5, 2.5], dtype=">f4")
      f["ascii"] = np.array([b"ab", b"c"])
      f.attrs["fixed"] = np.bytes_("abc")
      f.attrs["int32"] = np.int32(7)
      f.attrs["two"] = [1, 2]
      """
    try withFolder { folder in
      let (status, output) = try Self.run([Self.python, "-c", script, folder])
      try #require(status == 0, "\(output)")
      let root = try HDF5File.open("\(folder)/a.h5").root()
      let filled = (0..<4000).map(Double.init)
      #expect(try root.dataset("good").read() == filled)
      #expect(try root.dataset("grown").read() == [0, 1, 2])
      #expect(try root.dataset("big endian").read() == [1.5, 2.5])
      #expect(try root.dataset("ascii").readTexts() == ["ab", "c"])
      #expect(try root.text("fixed") == "abc")
      #expect(try root.number("int32") == 7)
      for (name, problem) in Self.refusals {
        let error = fileError { () throws(FileError) in
          let dataset = try root.dataset(name)
          if ["variable", "latin"].contains(name) { return try dataset.readTexts().count }
          return try dataset.read(as: Double.self).count
        }
        #expect(error?.object == "/\(name)")
        #expect(error?.problem == problem)
      }
      let two = fileError { () throws(FileError) in try root.number("two", as: Int.self) }
      #expect(two?.description == "\(folder)/a.h5: /@two: expected at most 1 value(s), found 2")
    }
  }

  private static let refusals = [
    "huge": "expected at most 0 bytes, as much as the file holds, found a claim of 1099511627776 elements of 8 bytes",
    "huge chunks":
      "expected at most 0 bytes, as much as the file holds, found a claim of 1099511627776 elements of 8 bytes",
    "overflow": "expected a size in range, found an overflow",
    "rank": "expected at most rank 8, found 9",
    "external": "expected data stored in this file, found storage in other files",
    "virtual": "expected data stored in this file, found storage in other files",
    "outside": "expected an object in this file, found an external link",
    "soft": "expected an object in this file, found a soft link",
    "lzf": "expected no filter, or deflate, shuffle or fletcher32, found filter 32000",
    "compound": "expected numbers, found elements of another type",
    "variable": "expected text of fixed length, found text of variable length",
    "latin": "expected UTF-8, found other bytes",
    "null": "expected values, found none",
  ]
}
