import Foundation
import TestSupport
import Testing
import Weights

/// `inspect`: what it says of things in good order, and of strange ones.
@Suite struct InspectTests {
  let bench = try! Bench()

  private func expectText(_ path: String, _ text: String, status: Int32 = 0) throws {
    let result = try spectroscope("inspect", path)
    #expect(result.stdout == "\(path): \(text)\n")
    #expect(result.stderr == "")
    #expect(result.status == status)
  }

  @Test func aSeries() throws {
    try expectText(
      Reference.lora,
      """
      series of checkpoints
        layout   checkpoint-N series (Hugging Face Trainer, TRL, unsloth)
        steps    5, 10, 20
        method   lora
        rank     4
        alpha    8.0
        scaling  2.0
        start    zero
        modules  14
        targets  down_proj, gate_proj, up_proj, k_proj, o_proj, q_proj, v_proj
        types    F32
        base     bases/llama
        nothing looks wrong
      """)
  }

  @Test func aBase() throws {
    try expectText(
      Reference.llama,
      """
      base model
        architecture  LlamaForCausalLM
        tensors       21
        matrices      16
        types         BF16 21
        bytes         320448
        nothing looks wrong
      """)
  }

  @Test func configurations() throws {
    try expectText(
      Reference.lora + "/checkpoint-5/adapter_config.json",
      """
      JSON file
        role  the configuration of an adapter
        note  pass its folder
        nothing looks wrong
      """)
  }

  @Test func adapterWeights() throws {
    try expectText(
      Reference.lora + "/checkpoint-5/adapter_model.safetensors",
      """
      adapter weights
        tensors  28
        types    F32
        bytes    46080
        note     pass its folder, which has the configuration too
        nothing looks wrong
      """)
  }

  @Test func anAnalysis() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    try expectText(
      bench.output,
      """
      analysis file
        source      \(Reference.lora)
        base        \(Reference.llama)
        written by  spectroscope 0.1.0
        depth       auto
        coverage    14/14 modules
        steps       5, 10, 20
        deltas      init, pretrained, previous
        modules     14
        \(Reference.loggedNaN)
      """)
  }

  @Test func otherFiles() throws {
    let pickle = try bench.folder.write("old.bin", [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20])
    try expectText(
      pickle,
      """
      not recognised
        broken: \(pickle): expected a safetensors file, found a Python pickle, as torch.save wrote before version 1.6. \
      Convert it with save_pretrained(safe_serialization=True)
      """, status: 65)
    let pointer = try bench.folder.write("model.safetensors", gitLFSPointer)
    try expectText(
      pointer,
      """
      safetensors file
        broken: \(pointer): expected a safetensors file, found a Git LFS pointer. Fetch the file itself with: git lfs pull
      """, status: 65)
  }

  @Test(arguments: [
    Reference.lora, Reference.llama, Reference.lora + "/checkpoint-5",
    Reference.lora + "/checkpoint-5/trainer_state.json",
  ])
  func jsonIsOneObject(path: String) throws {
    let result = try spectroscope("inspect", path, "--json")
    let json = try JSONValue(parsing: [UInt8](result.stdout.utf8))
    #expect(json["kind"]?.string?.isEmpty == false)
    #expect(json["facts"] != nil)
    #expect(json["findings"]?.array != nil)
    #expect(json["broken"]?.bool == (result.status == 65))
    #expect(result.stderr == "")
  }

  @Test func quietLeavesTheExitCode() throws {
    let result = try spectroscope("inspect", try bench.folder.write("w.safetensors", "no weights"), "--quiet")
    #expect(result.stdout == "" && result.stderr == "")
    #expect(result.status == 65)
  }

  @Test func twoAdaptersInOneCheckpoint() throws {
    for name in ["policy", "reference"] {
      try bench.copy(Reference.lora + "/checkpoint-5", as: "run/checkpoint-5/\(name)")
    }
    try expectText(
      bench.path("run"),
      bench.filled(
        """
        series of checkpoints
          broken: {}/run/checkpoint-5: expected one adapter, found 2: policy, reference. Name one of these folders
        """), status: 65)
  }

  @Test(.enabled(if: canBecomeNobody), arguments: [("folder", true), ("file.safetensors", false)])
  func whatMayNotBeRead(name: String, isFolder: Bool) throws {
    let path = isFolder ? try bench.copy(Reference.lora, as: name) : try bench.folder.write(name, "secret")
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
    let result = try spectroscopeAsNobody("inspect", path, in: bench.folder)
    let problem =
      isFolder
      ? "the folder cannot be read. Check its permissions" : "permission denied. Make it readable for this user"
    #expect(result.stderr == "Error: \(path): \(problem)\n")
    #expect(result.stdout == "")
    #expect(result.status == 66)
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
  func colourOnATerminalOnly() throws {
    func onTerminal(_ environment: [String: String]) throws -> String {
      let command = "'\(Program.path)' inspect '\(Reference.llama)'"
      return try run(
        "/usr/bin/script", ["-qec", command, "/dev/null"],
        environment: Program.environment.merging(environment) { $1 }
      ).stdout
    }
    #expect(try onTerminal([:]).contains("\u{1B}[1m\(Reference.llama)\u{1B}[0m: base model"))
    #expect(try onTerminal(["NO_COLOR": ""]).contains("\u{1B}[1m"))
    #expect(try !onTerminal(["NO_COLOR": "1"]).contains("\u{1B}"))
    #expect(try !spectroscope("inspect", Reference.llama).stdout.contains("\u{1B}"))
  }
}
