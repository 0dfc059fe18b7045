import Foundation
import RunStore
import TestSupport
import Testing
import Weights

/// `convert` and `pack` as a user meets them: what they write and say, and what they refuse.
@Suite struct ConvertTests {
  private let bench = try! Bench()
  private let reference = ReferenceCase.named("rslora-initial")
  private var path: String { bench.path("run") }
  private var out: String { bench.path("out") }

  private func train(_ method: String) throws {
    let result = try spectroscope(
      "train", "--method", method, "--steps", "2", "--checkpoint-every", "1", "--prompts", "4", "--quiet", "--out", path
    )
    try #require(result.status == 0, "\(result.stderr)")
  }

  private func frobeniusNorms(_ analysis: String) throws -> [Double] {
    let tables = bench.path("csv-\(UUID().uuidString)")
    try #require(try spectroscope("export", analysis, "--format", "csv", "--out", tables, "--quiet").status == 0)
    let rows = try CSVTable(path: tables + "/modules.csv").rows
    return rows.filter { $0["delta"] == "init" && $0["step"] != "0" }.map { Double($0["frobenius_norm"]!)! }
  }

  // MARK: To PEFT

  @Test(arguments: [true, false]) func aMethodThatMovedAPartOfItsBase(isPlain: Bool) throws {
    try train("pissa")
    let options = isPlain ? ["--plain", "--with-base"] : []
    let result = try run(
      Program.path, ["convert", path, "--to", "peft", "--out", out] + options, environment: Program.environment)
    #expect(
      result.stdout == ["base", "checkpoint-0", "checkpoint-1", "checkpoint-2"].map { "\(out)/\($0)\n" }.joined())
    #expect(
      result.stderr
        == (isPlain
          ? ""
          : "\(out)/base is W₀ − s·B₀·A₀, what pissa left of its base: these adapters belong on it alone. With --plain they go "
            + "onto the original base\n"))
    #expect(result.status == 0)
    let configuration = try JSONValue(contentsOf: out + "/checkpoint-2/adapter_config.json")
    #expect(configuration["init_lora_weights"] == true && configuration["r"] == (isPlain ? 8 : 4))
    #expect(configuration["base_model_name_or_path"]?.string == out + "/base")
    // Analysed over the base that they belong on, they have learned what the run has.
    try #require(try spectroscope("analyze", path, "--quiet").status == 0)
    let analysis = try spectroscope("analyze", out, "--base", out + "/base", "--out", bench.output)
    #expect(analysis.stderr.contains("3 checkpoints of lora,") && analysis.status == 0, "\(analysis.stderr)")
    let (ours, theirs) = (try frobeniusNorms(path), try frobeniusNorms(bench.output))
    #expect(ours.count == 28 && theirs.count == 28)
    for (a, b) in zip(ours, theirs) { #expect(abs(a - b) <= 1e-5 * a, "\(a) \(b)") }
  }

  @Test func aMethodThatLeftItsBaseAsItWas() throws {
    try train("lora")
    let result = try spectroscope("convert", path, "--to", "peft", "--out", out, "--plain")
    #expect(result.stdout == ["checkpoint-0", "checkpoint-1", "checkpoint-2"].map { "\(out)/\($0)\n" }.joined())
    #expect(
      result.stderr == "--plain changes nothing for lora, which has left its base as it was\n"
        + "the base is a part of this program; with --with-base it is written to \(out)/base\n")
    #expect(result.status == 0)
    let quiet = try spectroscope("convert", path, "--to", "peft", "--out", bench.path("quiet"), "--plain", "--quiet")
    #expect(quiet.stdout == "" && quiet.stderr == "" && quiet.status == 0)
  }

  @Test func aDamagedCheckpointIsLeftOut() throws {
    try train("lora")
    let checkpoint = path + "/checkpoints/00000001.h5"
    try Data(contentsOf: URL(filePath: checkpoint)).dropLast(1000).write(to: URL(filePath: checkpoint))
    let result = try spectroscope("convert", path, "--to", "peft", "--out", out, "--quiet")
    #expect(result.stderr.hasPrefix("Error: \(checkpoint): expected an HDF5 file, ") && result.status == 65)
    #expect(try FileManager.default.contentsOfDirectory(atPath: out).sorted() == ["checkpoint-0", "checkpoint-2"])
    let packed = try spectroscope("pack", path, "--out", bench.path("run-packed.h5"))
    #expect(packed.stderr.hasPrefix("Error: \(checkpoint): expected an HDF5 file, ") && packed.status == 65)
    #expect(!bench.exists(bench.path("run-packed.h5")))
  }

  @Test func anotherBaseIsRefused() throws {
    try train("pissa")
    let other = ReferenceCase.folder + "/training/models/qwen2"
    let result = try spectroscope("convert", path, "--to", "peft", "--out", out, "--base", other)
    #expect(result.stderr.hasPrefix("Error: \(other): expected the base of \(path), with the sha256 "))
    #expect(result.status == 65 && !bench.exists(out))
  }

  // MARK: To a run folder

  @Test func adaptersBecomeARun() throws {
    let result = try spectroscope(
      "convert", reference.source, "--to", "hdf5", "--out", out, "--base", reference.base, "--initial",
      reference.initial!)
    #expect(result.stdout == out + "\n" && result.stderr == "" && result.status == 0)
    let inspected = try spectroscope("inspect", out)
    #expect(inspected.stdout.hasPrefix("\(out): run folder\n  method      rslora\n") && inspected.status == 0)
    #expect(inspected.stdout.contains("  steps       0, 5, 10, 20\n"), "\(inspected.stdout)")
    #expect(inspected.stdout.hasSuffix("  nothing looks wrong\n"), "\(inspected.stdout)")
    let analysis = try spectroscope("analyze", out)
    #expect(analysis.steps == ["0", "5", "10", "20"] && analysis.status == 0, "\(analysis.stderr)")
    let direct = try bench.analyze(reference.source, base: reference.base, "--initial", reference.initial!, "--quiet")
    try #require(direct.status == 0)
    #expect(try frobeniusNorms(out) == frobeniusNorms(bench.output))
  }

  @Test func aMethodThatTheFilesCannotTell() throws {
    let result = try spectroscope(
      "convert", reference.source, "--to", "hdf5", "--out", out, "--base", reference.base, "--method", "lora-plus")
    #expect(result.status == 0, "\(result.stderr)")
    #expect(try RunFolder(path: out).identity.method == "lora-plus")
  }

  @Test func aMethodThatRunsDoNotHave() throws {
    let source = ReferenceCase.named("lokr").source
    let result = try spectroscope("convert", source, "--to", "hdf5", "--out", out)
    #expect(
      result.stderr.hasPrefix(
        "Error: \(source)/checkpoint-5: expected an adapter of PEFT's of a method that runs have, found lokr in another "
          + "form. Runs have: lora, rslora, "), "\(result.stderr)")
    #expect(result.status == 65)
  }

  // MARK: What is refused

  @Test func aFolderThatHoldsSomething() throws {
    try train("lora")
    try bench.folder.write("out/notes.txt", "mine")
    for form in ["peft", "hdf5"] {
      let result = try spectroscope("convert", path, "--to", form, "--out", out)
      #expect(
        result.stderr
          == "Error: \(out): expected a new or empty folder, found one that holds something. Name another folder\n")
      #expect(result.status == 73)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: out) == ["notes.txt"])
    let file = try bench.folder.write("file", "mine")
    let result = try spectroscope("convert", path, "--to", "peft", "--out", file)
    #expect(result.stderr == "Error: \(file): expected the name of a folder to write, found a file\n")
    #expect(result.status == 73)
    let packed = try spectroscope("pack", path, "--out", file)
    #expect(
      packed.stderr
        == "Error: \(file): expected a new file, found one that exists. Name another file, or delete this one if "
        + "it is not needed\n")
    #expect(packed.status == 73)
  }

  @Test func whatIsNoRun() throws {
    let missing = try spectroscope("convert", bench.path("none"), "--to", "peft", "--out", out)
    #expect(missing.stderr == bench.filled("Error: {}/none: no such file or folder\n") && missing.status == 66)
    let adapters = try spectroscope("convert", Reference.lora, "--to", "peft", "--out", out)
    #expect(
      adapters.stderr
        == "Error: \(Reference.lora): expected a run folder or a packed run, found none. PEFT adapters need no "
        + "conversion to peft; --to hdf5 makes a run of them\n")
    #expect(adapters.status == 65)
    let packed = try spectroscope("pack", Reference.lora, "--out", bench.path("a.h5"))
    #expect(
      packed.stderr
        == "Error: \(Reference.lora): expected a run folder, found none. `spectroscope convert --to hdf5` makes one "
        + "of PEFT adapters\n")
    #expect(packed.status == 65)
    try train("lora")
    let run = try spectroscope("convert", path, "--to", "hdf5", "--out", out)
    #expect(
      run.stderr == "Error: \(path): expected PEFT adapters or a packed run, found a run folder. It is HDF5 already; "
        + "`spectroscope pack` makes one file of it\n")
    #expect(run.status == 65 && !bench.exists(out))
  }

  // MARK: Packed

  @Test func aPackedRunIsARun() throws {
    try train("milora")
    let pack = bench.path("packed.h5")
    #expect(try spectroscope("pack", path, "--out", pack).stderr == "wrote \(pack)\n")
    #expect(
      try spectroscope("export", pack, "--format", "csv", "--out", out).stderr
        == "Error: \(pack): expected an analysis file, or a folder that holds analysis.h5, found a packed run without it. "
        + "Make one with `spectroscope analyze`\n")
    let inspected = try spectroscope("inspect", pack)
    #expect(
      inspected.stdout.replacing("\(pack): packed run", with: "\(path): run folder")
        == (try spectroscope("inspect", path).stdout))
    #expect(inspected.stderr == "" && inspected.status == 0)
    #expect(try JSONValue(parsing: spectroscope("inspect", pack, "--json").stdout)["kind"] == "packed run")
    // A packed run has no file of its own for an analysis.
    #expect(try spectroscope("analyze", pack).status == 64)
    #expect(try spectroscope("analyze", pack, "--out", bench.output, "--quiet").status == 0)
    try #require(try spectroscope("analyze", path, "--quiet").status == 0)
    #expect(try frobeniusNorms(bench.output) == frobeniusNorms(path))
    #expect(try AnalysisFile.read(from: bench.output).origin.source == pack)
    let analysed = bench.path("analysed.h5")
    try #require(try spectroscope("pack", path, "--out", analysed, "--quiet").status == 0)
    for source in [path, analysed] {
      let tables = bench.path("tables-" + URL(filePath: source).lastPathComponent)
      try #require(try spectroscope("export", source, "--format", "csv", "--out", tables).status == 0)
    }
    for name in try FileManager.default.contentsOfDirectory(atPath: bench.path("tables-run")) {
      #expect(
        FileManager.default.contentsEqual(
          atPath: bench.path("tables-run/" + name), andPath: bench.path("tables-analysed.h5/" + name)), "\(name)")
    }
    #expect(try spectroscope("convert", analysed, "--to", "hdf5", "--out", out).status == 0)
    #expect(try RunFolder(path: out).snapshot(at: 2) == RunFolder(path: path).snapshot(at: 2))
    #expect(bench.exists(out + "/analysis.h5") && bench.exists(out + "/training.h5"))
    #expect(try spectroscope("convert", analysed, "--to", "peft", "--out", bench.path("peft")).status == 0)
  }

  /// Whatever HDF5 makes of changed bytes, the program ends in order, and names the file.
  @Test func aFuzzedPackEndsInOrder() throws {
    try train("lora")
    let pack = bench.path("packed.h5")
    try #require(try spectroscope("pack", path, "--out", pack, "--quiet").status == 0)
    let whole = try Data(contentsOf: URL(filePath: pack))
    var generator = SplitMix(state: 7)
    for round in 0..<20 {
      var bytes = whole
      for _ in 0..<8 {
        bytes[Int(generator.next() % UInt64(min(bytes.count, 40_000)))] ^= UInt8(1 + generator.next() % 255)
      }
      try bytes.write(to: URL(filePath: pack))
      let result = try spectroscope("inspect", pack)
      #expect([0, 65].contains(result.status), "round \(round): \(result.status) \(result.stderr)")
      #expect((result.stdout + result.stderr).contains(pack), "round \(round)")
    }
  }
}
