import Foundation
import TestSupport
import Testing
import Weights

/// `plan` as a user meets it.
@Suite struct PlanTests {
  let bench = try! Bench()

  private func json(_ arguments: String...) throws -> JSONValue {
    let result = try run(Program.path, ["plan", "--json"] + arguments, environment: Program.environment)
    #expect(result.status == 0, "\(result.stderr)")
    return try JSONValue(parsing: Array(result.stdout.utf8))
  }

  /// The topics of the notes, in their order.
  private func topics(_ plan: JSONValue) -> [String] {
    plan["notes"]?.array?.compactMap { $0["topic"]?.string } ?? []
  }

  // MARK: Text

  /// Sizes of full fine-tuning are √(m·n)/‖W₀‖ and need no digit of a decomposition.
  @Test func textHasATableAndMarkedNotes() throws {
    let result = try spectroscope("plan", "--method", "full", "--learning-rate", "1e-4", "--base", Reference.llama)
    #expect(result.status == 0 && result.stderr == "")
    let lines = result.stdout.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines[0] == "full, against LoRA of rank 4, α 8, s = 2, on \(Reference.llama)")
    #expect(lines[1] == "‖δW‖/‖W₀‖ of a first step at the rate 0.0001")
    #expect(lines[2].split(separator: " ") == ["kind", "layers", "full", "LoRA", "ratio"])
    let kinds = [
      "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "self_attn.k_proj", "self_attn.o_proj", "self_attn.q_proj",
      "self_attn.v_proj", "all",
    ]
    for (line, kind) in zip(lines[3...], kinds) {
      let cells = line.split(separator: " ").map(String.init)
      #expect(cells[0] == "law" && cells[1] == kind && cells[2] == (kind == "all" ? "14" : "2") && cells.count == 6)
    }
    #expect(lines[11] == "")
    let notes = lines[12...].filter { !$0.isEmpty }
    #expect(notes.count == 5)
    #expect(notes.allSatisfy { $0.contains(/^(law {10}|measurement {2}|report {7})\S/) }, "\(notes)")
    #expect(
      notes.contains {
        $0.hasPrefix("measurement  its critical rate is 0.12 and 0.11 of LoRA's")
          && $0.hasSuffix("(notebooks-data/laboratory/README.md, tables B and D)")
      })
  }

  @Test func withoutARateSizesArePerUnitOfIt() throws {
    let text = try spectroscope("plan", "--method", "miss").stdout
    #expect(text.hasPrefix("miss of rank 4, against LoRA of rank 4, α 8, s = 2, on the embedded base\n"))
    #expect(text.contains("\n‖δW‖/‖W₀‖ of a first step per unit of learning rate\n"))
    let plan = try json("--method", "miss")
    #expect(plan["learning_rate"] == .null && plan["matching_learning_rate"] == .null)
    #expect(plan["steps_beyond_merging"] == .null && plan["total"]?["first_step"] == .null)
    #expect(topics(plan).first == "ratio" && !topics(plan).contains("matching_rate"))
  }

  @Test func quietPrintsNothing() throws {
    let result = try spectroscope("plan", "--method", "pissa", "--quiet")
    #expect(result.stdout == "" && result.stderr == "" && result.status == 0)
  }

  // MARK: Numbers

  /// LoRA itself is the yardstick: s·√(m·r/3) of every layer.
  @Test func loraIsItsOwnYardstick() throws {
    let plan = try json("--rank", "8", "--alpha", "24", "--learning-rate", "0.002", "--base", Reference.llama)
    #expect(plan["method"]?.string == "lora" && plan["ratio"]?.double == 1)
    #expect(plan["matching_learning_rate"]?.double == 0.002 && plan["scaling"]?.double == 3)
    let query = try #require(plan["kinds"]?.array?.first { $0["kind"]?.string == "self_attn.q_proj" })
    let base = try BaseModel(path: Reference.llama)
    let norms = try (0..<2).map { try base.frobeniusNorm(of: "model.layers.\($0).self_attn.q_proj.weight") }
    let norm = (norms[0] * norms[0] + norms[1] * norms[1]).squareRoot()
    let expected = 3 * (2.0 * 96 * 8 / 3).squareRoot() / norm
    #expect(abs(query["unit_step"]!.double! / expected - 1) < 1e-12)
    #expect(abs(query["first_step"]!.double! / (0.002 * expected) - 1) < 1e-12)
  }

  /// GPT-2 stores its layers input × output: of c_attn, 3·d outputs and d inputs, LoRA's B has 3·d rows.
  @Test func conv1DLayersAreTurned() throws {
    let shape = try BaseModel(path: Reference.gpt2).shape(of: "transformer.h.0.attn.c_attn.weight")
    #expect(shape[1] == 3 * shape[0])
    let plan = try json("--base", Reference.gpt2, "--targets", "attn.c_attn")
    let norm = try BaseModel(path: Reference.gpt2).frobeniusNorm(of: "transformer.h.0.attn.c_attn.weight")
    let expected = 2 * (Double(shape[1]) * 4 / 3).squareRoot() / norm
    #expect(abs(plan["total"]!["unit_step"]!.double! / expected - 1) < 1e-12)
    // Without targets every linear layer but the output's.
    let all = try json("--base", Reference.gpt2)
    #expect(
      all["kinds"]?.array?.map { $0["kind"]!.string! } == ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"])
  }

  /// rsLoRA is √r times LoRA, LoRA+ as many times as its ratio says, rank-1 LoRA 1/√r, whatever the base.
  @Test(
    arguments: [
      (["--method", "rslora", "--rank", "16"], 4), (["--method", "lora-plus", "--lora-plus-ratio", "8"], 8),
      (["--method", "rank1"], 0.5), (["--method", "rank1", "--rank", "16", "--alpha", "4"], 0.25),
    ] as [([String], Double)])
  func ratiosThatShapesAloneGive(arguments: [String], ratio: Double) throws {
    let result = try run(Program.path, ["plan", "--json"] + arguments, environment: Program.environment)
    let plan = try JSONValue(parsing: Array(result.stdout.utf8))
    #expect(abs(plan["ratio"]!.double! / ratio - 1) < 1e-12)
  }

  /// The table B of the laboratory, measured over two steps on another base of the same kind: 2.1 and 0.45 times LoRA's.
  @Test func theEmbeddedBaseIsAsTheLaboratoryFound() throws {
    #expect((1.8...2.6).contains(try json("--method", "pissa")["ratio"]!.double!))
    #expect((0.4...0.6).contains(try json("--method", "milora")["ratio"]!.double!))
  }

  // MARK: The basis

  @Test func singularValuesComeFromTheBasis() throws {
    let folder = bench.path("basis")
    let plan = try json("--method", "pissa", "--base", Reference.llama, "--basis", folder, "--learning-rate", "1e-4")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(files.count == 14)
    let again = try json("--method", "pissa", "--base", Reference.llama, "--basis", folder, "--learning-rate", "1e-4")
    #expect(plan == again)
    // What does not need them makes none.
    _ = try json("--method", "lora", "--base", Reference.gpt2, "--basis", bench.path("none"))
    #expect(!bench.exists(bench.path("none")))
    #expect(
      topics(plan) == [
        "ratio", "matching_rate", "merging", "direction", "critical_rate", "window", "claim", "reload", "residual",
        "reference",
      ])
  }

  // MARK: Traps

  @Test func aRandomStartAndDropoutAreNamed() throws {
    let plan = try json("--method", "pissa", "--pissa-niter", "4", "--dropout", "0.05")
    let reload = plan["notes"]?.array?.first { $0["topic"]?.string == "reload" }
    #expect(reload?["message"]?.string?.hasPrefix("pissa_niter_4 draws its start at random") == true)
    #expect(reload?["mark"]?.string == "report" && reload?["source"]?.string == "PEFT 0.21.2")
    #expect(topics(plan).suffix(2) == ["dropout", "dropout"])
  }

  @Test(
    arguments: [
      ("lora", ["critical_rate"]), ("rslora", ["scaling", "critical_rate"]),
      ("lora-plus", ["optimiser", "critical_rate", "optimiser"]), ("dora", ["start", "critical_rate"]),
      ("adalora", ["start", "critical_rate", "allocator"]),
      ("milora", ["start", "critical_rate", "claim", "reload", "residual", "reference"]),
      ("svd", ["residual", "reference"]), ("miss", ["scaling", "critical_rate", "scaling"]),
      ("vera", ["best_rate", "reload"]), ("ia3", ["best_rate", "start", "claim"]),
      ("ln-tuning", ["best_rate", "start"]),
      ("rank1", ["critical_rate"]), ("full", ["scaling", "critical_rate"]),
    ])
  func everyMethodHasItsNotes(method: String, expected: [String]) throws {
    #expect(try topics(json("--method", method)) == ["ratio"] + expected)
  }

  /// Magnitudes that PEFT computes in the base's 16 bits are a trap of such bases alone.
  @Test func aBaseIn16BitsHasTrapsOfItsOwn() throws {
    #expect(try topics(json("--method", "dora", "--base", Reference.llama)).suffix(2) == ["critical_rate", "start"])
    let notes = try json("--method", "milora", "--base", Reference.llama)["notes"]?.array
    let residual = notes?.first { $0["topic"]?.string == "residual" }?["message"]?.string
    #expect(residual?.contains("stored in bf16 it is off by about 0.00166 of ‖W₀‖") == true)
  }

  // MARK: Errors

  @Test(
    arguments: [
      (["--method", "lora-fa"], 64, "Error: --method lora-fa has no law of step sizes: A is frozen"),
      (
        ["--targets", "foo"], 64,
        "Error: --targets foo: the embedded base has no such layer; one of its layers is model."
      ),
      (["--method", "pissa", "--rank", "1000"], 64, "Error: expected a rank of at most 64, which model.layers.0"),
      (["--method", "ia3", "--base", Reference.gpt2], 64, "Error: which layers ia3 adapts in a model as "),
      (["--base", "/nowhere"], 66, "Error: /nowhere: no such file or folder"),
      (["--base", Reference.lora + "/checkpoint-5"], 65, "Error: "),
      (["--method", "nothing"], 64, "Error: The value 'nothing' is invalid for '--method <method>'"),
      (["--learning-rate", "0"], 64, "Error: --learning-rate must be a positive number, found 0.0"),
      (["--rank", "0"], 64, "Error: --rank must be at least 1, found 0"),
      (["--jobs", "0"], 64, "Error: --jobs must be at least 1, found 0"),
      (["--base", ""], 64, "Error: --base must name a folder, found an empty text"),
      (["--pissa-niter", "4"], 64, "Error: --pissa-niter goes with --method pissa alone"),
      (["--method", "full", "--dropout", "0.1"], 64, "Error: full has no input to drop out"),
      (["--method", "vera", "--rank-pattern", "q_proj=8"], 64, "Error: vera "),
    ] as [([String], Int32, String)])
  func errorsSayWhatToDo(arguments: [String], code: Int32, message: String) throws {
    let result = try run(Program.path, ["plan"] + arguments, environment: Program.environment)
    #expect(result.stderr.hasPrefix(message), "\(result.stderr)")
    #expect(result.status == code && result.stdout == "")
  }
}
