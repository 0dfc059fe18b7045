import Adapters
import Diagnosis
import Foundation
import Measurement
import RunStore
import TestSupport
import Testing
import Weights

/// A start that is kept, held against bases that it is no part of.
@Suite struct StartCheckTests {
  private let folder = try! TemporaryFolder()
  private let known = ReferenceCase.folder + "/diagnosis/healthy-pissa"
  private let laboratory = repositoryRoot + "/Sources/CBase/model"

  private func findings(source: String, base: String, initial: String? = nil, method: AdapterMethod? = nil) throws
    -> [Finding]
  {
    let options = MeasurementOptions(
      source: source, base: base, initial: initial, method: method, output: folder.path("analysis.h5"))
    return try MeasurementPlan(options).run(options).analysis.findings.filter { $0.code == "SP501" }
  }

  @Test func theRightBase() throws {
    #expect(try findings(source: known, base: laboratory, initial: known + "/initial").isEmpty)
  }

  /// The same shapes, with the weights of the two layers in each other's place.
  @Test func anotherBase() throws {
    let base = folder.path("other")
    try FileManager.default.copyItem(atPath: laboratory, toPath: base)
    let file = base + "/model.safetensors"
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    let header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
    let swapped = header.replacing("layers.0.", with: "layers.#.").replacing("layers.1.", with: "layers.0.").replacing(
      "layers.#.", with: "layers.1.")
    bytes.replaceSubrange(8..<8 + length, with: Array(swapped.utf8))
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    let found = try findings(source: known, base: base, initial: known + "/initial")
    let finding = try #require(found.first)
    #expect(found.count == 1 && finding.severity == .alert && finding.cause == .loadMismatch)
    #expect(
      finding.message.hasPrefix("the adapter of step 0 does not belong to this base (\(base)): taking it out leaves "))
    #expect(finding.message.hasSuffix(" of ‖W₀‖² more than PiSSA's start would: this is another base"))
  }

  @Test(arguments: [AdapterMethod.pissa, .milora]) func theResidualOfTraining(_ method: AdapterMethod) throws {
    let trained = try TrainedRun(method, in: folder.path)
    let run = try ExtractedRun(of: trained.path)
    let target = folder.path("peft")
    _ = try PEFTConversion(of: run, isPlain: false).write(to: target, base: trained.base)
    let found = try findings(source: run.folder, base: target + "/base", method: method)
    #expect(found.count == 1)
    #expect(
      found.first?.message.hasSuffix(
        "nothing of it is in the base: this is the residual that is left when it is taken out")
        == true)
  }
}
