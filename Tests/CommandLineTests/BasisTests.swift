import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

/// `basis` as a user meets it, and where `analyze` looks for one.
@Suite struct BasisTests {
  let bench = try! Bench()
  private var bases: String { bench.path("bases") }

  @Test func aSecondStartKeepsEverything() throws {
    let first = try spectroscope("basis", Reference.llama, "--out", bases, "--jobs", "2")
    #expect(first.stdout == "14 computed, 0 kept in \(bases)\n")
    #expect(first.stderr.hasPrefix("14 weights of \(Reference.llama), into \(bases); memory up to 257 MiB\n"))
    #expect(first.status == 0)
    let files = try FileManager.default.contentsOfDirectory(atPath: bases)
    #expect(files.count == 14 && files.contains("model.layers.0.self_attn.q_proj.weight.safetensors"))
    let second = try spectroscope("basis", Reference.llama, "--out", bases, "--quiet")
    #expect(second.stdout == "" && second.stderr == "" && second.status == 0)
    let third = try spectroscope("basis", Reference.llama, "--out", bases, "--verify", "--json", "--quiet")
    let json = try JSONValue(parsing: Array(third.stdout.utf8))
    #expect(json["computed"]?.int == 0 && json["kept"]?.int == 14 && json["failures"]?.array?.isEmpty == true)
  }

  @Test func otherPeopleOpenIt() throws {
    try #require(try spectroscope("basis", Reference.llama, "--out", bases, "--quiet").status == 0)
    let file = try TensorFile(path: bases + "/model.layers.0.self_attn.k_proj.weight.safetensors")
    let shapes = file.tensors.mapValues(\.shape)
    #expect(shapes["singular_values"] == [48] && shapes["left"] == [48, 48] && shapes["right"] == [48, 96])
    #expect(file.tensors.values.allSatisfy { $0.elementType.rawValue == "F64" })
  }

  @Test func theBaseMustBeOne() throws {
    let missing = try spectroscope("basis", bench.path("none"), "--out", bases)
    #expect(missing.stderr.hasPrefix("Error: \(bench.path("none")): no such file or folder") && missing.status == 66)
    let adapter = try spectroscope("basis", Reference.lora + "/checkpoint-5", "--out", bases)
    #expect(adapter.stderr.contains("found an adapter") && adapter.status == 65)
    #expect(!bench.exists(bases))
  }

  @Test func theFolderMustBeWritable() throws {
    try bench.folder.write("file", "text")
    let result = try spectroscope("basis", Reference.llama, "--out", bench.path("file"))
    #expect(result.stderr.contains("Error: \(bench.path("file")): the folder for spectral bases cannot be created"))
    #expect(result.status == 73)
  }

  @Test func aBrokenWeightIsNamedAndTheOthersAreMade() throws {
    var writer = SafetensorsWriter()
    writer.add("a.weight", shape: [4, 3], Array(repeating: 1.5, count: 11) + [.infinity], as: .float32)
    writer.add("b.weight", shape: [4, 3], (0..<12).map(Double.init), as: .float32)
    try FileManager.default.createDirectory(atPath: bench.path("base"), withIntermediateDirectories: true)
    try writer.write(to: bench.path("base/model.safetensors"))
    let result = try spectroscope("basis", bench.path("base"), "--out", bases)
    #expect(result.stdout == "1 computed, 0 kept in \(bases)\n")
    #expect(
      result.stderr.contains(
        "Error: \(bench.path("base"))/model.safetensors: tensor \"a.weight\": expected finite values"))
    #expect(result.status == 65)
  }

  @Test func analyzeFindsABasisBesideItsOutput() throws {
    try #require(try spectroscope("basis", Reference.llama, "--out", bench.path("basis"), "--quiet").status == 0)
    let before = try FileManager.default.contentsOfDirectory(atPath: bench.path("basis")).sorted()
    #expect(try bench.analyze(Reference.lora).status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: bench.path("basis")).sorted() == before)
    let beside = try Data(contentsOf: URL(fileURLWithPath: bench.output))
    #expect(try bench.analyze(Reference.lora, "--basis", bases).status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: bases).count == 14)
    #expect(try Data(contentsOf: URL(fileURLWithPath: bench.output)) == beside)
  }

  @Test(arguments: ["update", "geometry", "full"]) func everyDepthHasItsColumns(depth: String) throws {
    #expect(try bench.analyze(Reference.lora, "--depth", depth).status == 0)
    let rows = try bench.exportedRows().filter { $0["delta"] == "init" }
    func isFilled(_ column: String) -> Bool { rows.allSatisfy { $0[column] != "" } }
    #expect(isFilled("effective_rank") && isFilled("rounding_floor"))
    #expect(isFilled("left_energy_top") == (depth != "update") && isFilled("right_rotation_max") == (depth != "update"))
    #expect(isFilled("spectral_shift") == (depth == "full") && isFilled("intruder_count") == (depth == "full"))
    #expect(bench.exists(bench.path("csv/profiles.csv")) == (depth == "full"))
  }

  @Test func kIsWhatWasAskedFor() throws {
    #expect(try bench.analyze(Reference.lora, "--k", "7").status == 0)
    #expect(try bench.exportedRows().allSatisfy { $0["k"] == "7" })
    let result = try bench.analyze(Reference.lora, "--k", "0")
    #expect(result.stderr.hasPrefix("Error: --k must be at least 1, found 0\n") && result.status == 64)
  }
}
