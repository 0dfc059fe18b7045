import Adapters
import Foundation
import RunStore
import TestSupport
import Testing
import Training
import Weights

/// What `convert` writes, loaded by transformers and PEFT: their logits are ours.
@Suite(.tags(.slow), .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct ConversionSlowTests {
  private static let prompts = ["12+34=", "R:abcd>", "3*4-5+12=", "S:hgfe>efgh;"]

  @Test func peftHasOurLogits() throws {
    let folder = try TemporaryFolder()
    var expected: Set<String> = []
    for variant in ConversionTests.variants {
      let place = folder.path(variant.name.replacing(" ", with: "-"))
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      let run = try TrainedRun(variant.method, in: place, change: variant.change)
      for isPlain in variant.method.subtractsStart ? [false, true] : [false] {
        let target = place + (isPlain ? "/plain" : "/default")
        let conversion = try PEFTConversion(of: ExtractedRun(of: run.path), isPlain: isPlain)
        _ = try conversion.write(to: target, base: run.base)
        try write(run, steps: [0, 2, 3], to: target + "/expected.safetensors")
        expected.formUnion([0, 2, 3].map { "\(target)/checkpoint-\($0)" })
      }
    }
    let python = ProcessInfo.processInfo.environment["SPECTROSCOPE_PYTHON"] ?? "python3"
    let script = repositoryRoot + "/Tests/References/check_conversion.py"
    let checked = try TestSupport.run("/usr/bin/env", [python, script, folder.path])
    try #require(checked.status == 0, "\(checked.stderr)")
    print(checked.stdout.replacing(folder.path + "/", with: ""))
    var found: Set<String> = []
    for line in checked.stdout.split(separator: "\n") {
      let parts = line.split(separator: " ")
      try #require(parts.count == 3, "\(line)")
      found.insert(String(parts[0]))
      let (difference, change) = (try #require(Double(parts[1])), try #require(Double(parts[2])))
      #expect(difference <= 1e-4, "\(line)")
      // A test in which the adapter does nothing would say nothing.
      #expect(change > 1e-2 || parts[0].hasSuffix("checkpoint-0"), "\(line)")
    }
    #expect(found == expected)
  }

  /// The tokens of the prompts, and for each step our logits of all their positions.
  private func write(_ run: TrainedRun, steps: [Int], to path: String) throws {
    let tokenizer = try #require(run.base.tokenizer)
    let width = run.base.configuration.vocabularySize
    var writer = SafetensorsWriter()
    for (index, prompt) in Self.prompts.enumerated() {
      let tokens = try tokenizer.encode(prompt)
      let bytes = tokens.flatMap { token in withUnsafeBytes(of: Int64(token).littleEndian) { Array($0) } }
      writer.add("tokens.\(index)", shape: [tokens.count], type: ElementType(rawValue: "I64"), bytes: bytes)
      for step in steps {
        let logits = run.logits(of: tokens, weights: try run.weights(at: step))
        writer.add("logits.\(step).\(index)", shape: [tokens.count, width], logits)
      }
      writer.add("base.\(index)", shape: [tokens.count, width], run.logits(of: tokens, weights: run.base.parameters))
    }
    try writer.write(to: path)
  }
}
