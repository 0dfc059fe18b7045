import Foundation
import TestSupport
import Testing
import Weights

/// An adapter folder that has been damaged in one way, and what the program says of it.
struct Damage: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let change: @Sendable (Adapter) throws -> Void
  /// With `{}` for the folder that holds the folder `adapter`.
  let message: String

  init(_ description: String, _ change: @escaping @Sendable (Adapter) throws -> Void, _ message: String) {
    testDescription = description
    self.change = change
    self.message = message
  }

  private static let weights = "{}/adapter/adapter_model.safetensors"
  private static let configuration = "{}/adapter/adapter_config.json"
  private static let again = "Wait if the file is still being written, else copy or download it again"
  private static let analysed =
    "Analysed so far: LoRA, rsLoRA, LoRA+, LoRA-FA, rank-1, PiSSA, MiLoRA, DoRA, AdaLoRA, MiSS, VeRA, IA3, LN tuning, "
    + "LoHa, LoKr, and whole weights"

  static let ofWeights = [
    Damage(
      "cut short in the data", { try $0.changeBytes { $0.removeLast(100) } },
      "\(weights): tensor \"base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight\": "
        + "expected 46080 bytes of data, found 45980. \(again)"),
    Damage(
      "cut short in the header", { try $0.changeBytes { $0.removeLast($0.count - 108) } },
      "\(weights): header: expected a header of 3480 bytes, found 100. \(again)"),
    Damage(
      "oversized header length", { try $0.changeBytes { $0.replaceSubrange(0..<8, with: [0, 0, 0, 0, 0, 1, 0, 0]) } },
      "\(weights): header: expected a header length between 1 and 100000000 bytes, found 1099511627776. \(again)"),
    Damage(
      "overlapping tensors",
      { adapter in
        try adapter.changeBytes {
          $0 = RawSafetensors.bytes(
            header: """
              {"m.lora_A.weight":{"dtype":"F32","shape":[1,4],"data_offsets":[0,16]},\
              "m.lora_B.weight":{"dtype":"F32","shape":[4,1],"data_offsets":[8,24]}}
              """, dataSize: 24)
        }
      },
      "\(weights): tensor \"m.lora_B.weight\": expected data without gaps and overlaps, "
        + "found an overlap of 8 bytes with \"m.lora_A.weight\""),
    Damage(
      "empty file", { try $0.changeBytes { $0 = [] } },
      "\(weights): expected a safetensors file, found an empty file. "
        + "Wait if it is still being written, else copy or download it again"),
    Damage(
      "Git LFS pointer", { try $0.write(gitLFSPointer, to: $0.weights) },
      "\(weights): expected a safetensors file, found a Git LFS pointer. Fetch the file itself with: git lfs pull"),
    Damage(
      "pickle under the name", { try $0.changeBytes { $0 = [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 96) } },
      "\(weights): zip directory: expected a directory at the end of the zip archive, found none. \(again)"),
    Damage(
      "no weights", { try FileManager.default.removeItem(atPath: $0.weights) },
      "{}/adapter: expected adapter_model.safetensors beside adapter_config.json, found none. "
        + "If the checkpoint is still being written, try again when it is complete"),
    Damage(
      "only a pickle",
      {
        try FileManager.default.removeItem(atPath: $0.weights)
        let old: [UInt8] = [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20]
        try Data(old).write(to: URL(fileURLWithPath: $0.path + "/adapter_model.bin"))
      },
      "{}/adapter/adapter_model.bin: expected a safetensors file, found a Python pickle, as torch.save wrote before "
        + "version 1.6. Convert it with save_pretrained(safe_serialization=True)"),
  ]

  static let ofConfiguration = [
    Damage(
      "invalid JSON", { try $0.replaceInConfiguration("\"lora_alpha\": 8,", with: "\"lora_alpha\": 8;") },
      "\(configuration): invalid JSON at line 23, byte 615: expected ',' or '}', found ';'"),
    Damage(
      "no object", { try $0.write("[]", to: $0.configuration) },
      "\(configuration): expected a JSON object, found another kind of value"),
    Damage(
      "no peft_type", { try $0.replaceInConfiguration("\"peft_type\": \"LORA\",", with: "") },
      "\(configuration): peft_type: expected the name of a PEFT method, found none. "
        + "Pass a folder written by PEFT's save_pretrained"),
    Damage(
      "BOFT", { try $0.replaceInConfiguration("\"LORA\"", with: "\"BOFT\"") },
      "\(configuration): peft_type: expected a method that is analysed, found BOFT, which is known but not analysed yet. "
        + analysed),
    Damage(
      "unknown method", { try $0.replaceInConfiguration("\"LORA\"", with: "\"NOVEL\"") },
      "\(configuration): peft_type: expected a method that is analysed, found NOVEL, which is not known. \(analysed)"),
    Damage(
      "rank 0", { try $0.replaceInConfiguration("\"r\": 4", with: "\"r\": 0") },
      "\(configuration): r: expected a positive whole number, found 0"),
    Damage(
      "rank as text", { try $0.replaceInConfiguration("\"r\": 4", with: "\"r\": \"4\"") },
      "\(configuration): r: expected a whole number, found \"4\""),
    Damage(
      "infinite alpha", { try $0.replaceInConfiguration("\"lora_alpha\": 8", with: "\"lora_alpha\": Infinity") },
      "\(configuration): lora_alpha: expected a finite number, found Infinity"),
    Damage(
      "broken pattern",
      { try $0.replaceInConfiguration("\"rank_pattern\": {}", with: "\"rank_pattern\": {\"[\": 2}") },
      "\(configuration): rank_pattern: expected regular expressions, found {\"[\":2}"),
  ]
}

/// Adapters that cannot be used at all: 65, one message, and nothing is written.
@Suite struct HostileAdapterTests {
  let bench = try! Bench()

  @Test(arguments: Damage.ofWeights + Damage.ofConfiguration)
  func isRefused(damage: Damage) throws {
    let adapter = try bench.adapter()
    try damage.change(adapter)
    let message = bench.filled(damage.message)
    let result = try bench.analyze(adapter.path)
    #expect(result.stderr == "Error: \(message)\n")
    #expect(result.stdout == "")
    #expect(result.status == 65)
    #expect(bench.hasNoOutput)
    let inspected = try spectroscope("inspect", adapter.path)
    #expect(
      inspected.stdout == """
        \(adapter.path): adapter folder
          layout  one adapter folder
          steps   5
          warning SP110 damaged-checkpoint: step 5: \(message)

        """)
    #expect(inspected.stderr == "")
    #expect(inspected.status == 65)
  }

  @Test func withoutConfiguration() throws {
    let adapter = try bench.adapter()
    try FileManager.default.removeItem(atPath: adapter.configuration)
    let result = try bench.analyze(adapter.path)
    #expect(
      result.stderr == """
        Error: \(adapter.path): expected adapter_config.json, or folders named checkpoint-N, global_step_N or \
        global_stepN_hf that hold one, found no folder. Pass the folder that your trainer writes its checkpoints to

        """)
    #expect(result.status == 65)
    #expect(try spectroscope("inspect", adapter.path).status == 65)
  }

  @Test func anEmptyFolder() throws {
    let empty = bench.path("empty")
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
    let message = """
      \(empty): expected adapter_config.json, or folders named checkpoint-N, global_step_N or global_stepN_hf that hold \
      one, found no folder. Pass the folder that your trainer writes its checkpoints to
      """
    let result = try bench.analyze(empty)
    #expect(result.stderr == "Error: \(message)\n")
    #expect(result.status == 65)
    let inspected = try spectroscope("inspect", empty)
    #expect(inspected.stdout == "\(empty): not recognised\n  broken: \(message)\n")
    #expect(inspected.status == 65)
  }

  @Test func aMissingPath() throws {
    for result in [try bench.analyze(bench.path("none")), try spectroscope("inspect", bench.path("none"))] {
      #expect(result.stderr == bench.filled("Error: {}/none: no such file or folder\n"))
      #expect(result.stdout == "")
      #expect(result.status == 66)
    }
  }

  @Test func aFileInPlaceOfAFolder() throws {
    let file = Reference.lora + "/checkpoint-5/adapter_model.safetensors"
    let result = try bench.analyze(file)
    #expect(
      result.stderr == """
        Error: \(file): expected a folder with an adapter or with checkpoints, found a file. \
        `spectroscope inspect` says what it is

        """)
    #expect(result.status == 65)
  }

  @Test(.enabled(if: canBecomeNobody), arguments: ["adapter_model.safetensors", "adapter_config.json", ""])
  func isUnreadable(part: String) throws {
    let adapter = try bench.adapter()
    let path = part.isEmpty ? adapter.path : adapter.path + "/" + part
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
    let open = bench.path("open")
    try FileManager.default.createDirectory(
      atPath: open, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o777])
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: open)
    let result = try spectroscopeAsNobody(
      "analyze", adapter.path, "--base", Reference.llama, "--out", open + "/out.h5", in: bench.folder)
    let problem =
      part.isEmpty
      ? "the folder cannot be read. Check its permissions" : "permission denied. Make it readable for this user"
    #expect(result.stderr == "Error: \(path): \(problem)\n")
    #expect(result.status == 66)
  }
}
