import Foundation
import TestSupport
import Testing
import Weights

/// Bases that are damaged, or that belong to another adapter.
@Suite struct HostileBaseTests {
  let bench = try! Bench()

  private func base() throws -> String { try bench.copy(Reference.llama, as: "base") }

  private func expectRefusal(_ base: String, _ message: String, status: Int32 = 65) throws {
    let result = try bench.analyze(Reference.lora, base: base)
    #expect(result.stderr == "Error: \(message)\n")
    #expect(result.stdout == "")
    #expect(result.status == status)
    #expect(bench.hasNoOutput)
  }

  @Test func aBaseOfOtherNames() throws {
    try expectRefusal(
      Reference.gpt2,
      """
      \(Reference.gpt2): expected the weights that the adapter changes, found none. 14 of 14 adapter modules match no \
      weight of the base \(Reference.gpt2), such as model.layers.0.mlp.down_proj. Is this the base that the adapter was \
      trained on? Pass the base that it was trained on with --base; the adapter names "bases/llama"
      """)
  }

  @Test func aBaseOfOtherShapes() throws {
    let base = bench.path("base/model.safetensors")
    try bench.folder.write("base/config.json", "{}")
    var writer = SafetensorsWriter()
    let adapter = try TensorFile(path: Reference.lora + "/checkpoint-5/adapter_model.safetensors")
    for tensor in adapter.tensors.map({ $0.key }) where tensor.hasSuffix(".lora_A.weight") {
      let module = tensor.dropFirst("base_model.model.".count).dropLast(".lora_A.weight".count)
      writer.add(module + ".weight", shape: [3, 5], [Float](repeating: 1, count: 15))
    }
    try writer.write(to: base)
    try expectRefusal(
      bench.path("base"),
      bench.filled(
        """
        {}/base: expected the weights that the adapter changes, found none. model.layers.0.mlp.down_proj: expected a base \
        weight of shape [96, 160], found model.layers.0.mlp.down_proj.weight of shape [3, 5]. Is this the base that the \
        adapter was trained on? Pass the base that it was trained on with --base; the adapter names "bases/llama"
        """))
  }

  @Test func aMissingShard() throws {
    let shard = try base() + "/model-00002-of-00003.safetensors"
    try FileManager.default.removeItem(atPath: shard)
    let message =
      "\(shard): no such file, though model.safetensors.index.json promises 8 tensors in it. "
      + "Copy or download the missing shard"
    try expectRefusal(bench.path("base"), message, status: 66)
    let inspected = try spectroscope("inspect", bench.path("base"))
    #expect(inspected.stderr == "Error: \(message)\n")
    #expect(inspected.status == 66)
  }

  @Test func aShardThatIsAPointer() throws {
    let shard = try base() + "/model-00001-of-00003.safetensors"
    try Data(gitLFSPointer.utf8).write(to: URL(fileURLWithPath: shard))
    let message =
      "\(shard): expected a safetensors file, found a Git LFS pointer. Fetch the file itself with: git lfs pull"
    try expectRefusal(bench.path("base"), message)
    let inspected = try spectroscope("inspect", bench.path("base"))
    #expect(inspected.stdout == "\(bench.path("base")): base model\n  broken: \(message)\n")
    #expect(inspected.status == 65)
  }

  @Test func onlyATorchFileThatIsCutShort() throws {
    try bench.folder.write("base/pytorch_model.bin", [0x50, 0x4B, 3, 4])
    try bench.folder.write("base/config.json", "{}")
    let message = bench.filled(
      "{}/base/pytorch_model.bin: zip directory: expected a directory at the end of the zip archive, found none. "
        + "Wait if the file is still being written, else copy or download it again")
    try expectRefusal(bench.path("base"), message)
    let inspected = try spectroscope("inspect", bench.path("base"))
    #expect(inspected.stdout == "\(bench.path("base")): base model\n  broken: \(message)\n")
    #expect(inspected.status == 65)
  }

  @Test func anAdapterInPlaceOfTheBase() throws {
    let adapter = Reference.lora + "/checkpoint-5"
    try expectRefusal(
      adapter,
      "\(adapter): expected model.safetensors, model.safetensors.index.json or other safetensors files, found an adapter. "
        + "Give the folder of the base model; the adapter names it as base_model_name_or_path in its config")
  }

  @Test func aMissingBase() throws {
    try expectRefusal(
      bench.path("none"),
      bench.filled(
        "{}/none: no such file or folder. "
          + "Give the path of a safetensors file or of a model's folder; nothing is downloaded"),
      status: 66)
  }

  @Test func nonFiniteValues() throws {
    let base = try Adapter(path: bench.copy(Reference.llama + "-f32", as: "base"))
    let file = base.path + "/model.safetensors"
    let weight = "model.layers.0.mlp.down_proj.weight"
    let entry = try TensorFile(path: file).entry(weight)
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
    bytes.replaceSubrange(entry.byteRange.lowerBound..<entry.byteRange.lowerBound + 4, with: [0, 0, 0xC0, 0x7F])
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    let result = try bench.analyze(Reference.lora, base: base.path)
    #expect(result.status == 65)
    // One module is lost and the others are analysed.
    #expect(result.findings.count == 2 && result.findings.last == Reference.loggedNaN)
    #expect(result.findings.first?.hasPrefix("alert SP104 non-finite-values: \(file): tensor \"\(weight)\": ") == true)
    #expect(result.stderr.contains("Error: left out: 1 damaged checkpoint or tensor"))
    #expect(!bench.hasNoOutput)
  }

  @Test(.enabled(if: canBecomeNobody))
  func isUnreadable() throws {
    let folder = try base()
    let shard = folder + "/model-00001-of-00003.safetensors"
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: shard)
    let open = bench.path("open")
    try FileManager.default.createDirectory(atPath: open, withIntermediateDirectories: true)
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: open)
    let result = try spectroscopeAsNobody(
      "analyze", Reference.lora, "--base", folder, "--out", open + "/out.h5", in: bench.folder)
    #expect(result.stderr == "Error: \(shard): permission denied. Make it readable for this user\n")
    #expect(result.status == 66)
  }
}
