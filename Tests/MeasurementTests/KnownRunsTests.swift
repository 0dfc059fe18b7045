import Diagnosis
import Foundation
import Measurement
import RunStore
import TestSupport
import Testing
import Weights

/// Runs of which it is known what is wrong with them, made by Hugging Face's Trainer and PEFT: what must be found, and where there must
/// be silence.
struct KnownRunsTests {
  private static let folder = ReferenceCase.folder + "/diagnosis"
  private static let cases: [String: JSONValue] = {
    let manifest = try! JSONValue(contentsOf: folder + "/manifest.json")
    return Dictionary(uniqueKeysWithValues: manifest["cases"]!.array!.map { ($0["name"]!.string!, $0) })
  }()

  private static func path(_ relative: String) -> String {
    URL(fileURLWithPath: folder + "/" + relative).standardizedFileURL.path
  }

  private func verdict(of name: String) throws -> Verdict {
    let entry = try #require(Self.cases[name])
    let folder = try TemporaryFolder()
    let options = MeasurementOptions(
      source: Self.path(entry["source"]!.string!), base: Self.path(entry["base"]!.string!),
      initial: entry["initial"]?.string.map { Self.path($0) }, output: folder.path("analysis.h5"))
    return try MeasurementPlan(options).run(options).analysis.verdict(records: nil)
  }

  /// Among them a stable rank of 1.0 to 1.1, a PiSSA whose energy lies at the top, a warm-up, and a gradient's norm that grows a
  /// hundredfold.
  @Test(arguments: cases.values.filter { $0["find"]?.string == "nothing" }.map { $0["name"]!.string! }.sorted())
  func ofHealthyRunsThereIsNothingToSay(_ name: String) throws {
    let verdict = try verdict(of: name)
    #expect(verdict.alerts.isEmpty && verdict.warnings.isEmpty, "\(verdict.findings)")
  }

  /// The codes of alerts and warnings, and the cause.
  @Test(
    arguments: [
      ("barely-trained", ["SP112"], nil), ("barely-trained-two-steps", ["SP112"], nil),
      ("pissa-niter-4", ["SP502", "SP503"], nil), ("pissa-niter-4-with-initial", ["SP503"], nil),
      ("wrong-base-pissa-noise", ["SP501"], .loadMismatch), ("wrong-base-pissa-further", ["SP501"], .loadMismatch),
      ("wrong-base-pissa-residual", ["SP501"], .loadMismatch), ("milora-reload", ["SP510"], nil),
      ("alpha-zero-merge", ["SP105", "SP505"], .loadMismatch), ("two-runs", ["SP211"], nil),
      ("nan-filtered", ["SP104", "SP413", "SP414"], nil), ("frozen-after-start", ["SP102"], nil),
      ("bf16-residual", ["SP506"], nil), ("full-bf16", ["SP103", "SP112"], nil),
      ("blow-up", ["SP408", "SP412"], .stepSize),
    ] as [(String, [String], Cause?)])
  func whatIsWrongIsSaid(_ name: String, _ codes: [String], _ cause: Cause?) throws {
    let verdict = try verdict(of: name)
    let found = Set((verdict.alerts + verdict.warnings).map { $0.code })
    #expect(found == Set(codes), "\(verdict.findings.map { "\($0.code) \($0.message)" })")
    #expect(verdict.cause == cause)
  }

  /// The trap that looks most like a collapse: PEFT reloads a pissa_niter_4 on the original base as another model, of accuracy 0.00 where
  /// training had reached 0.96. The files alone say that training is not to blame.
  @Test(arguments: ["pissa-niter-4", "pissa-niter-4-with-initial"]) func aReloadIsToldFromACollapse(_ name: String)
    throws
  {
    let verdict = try verdict(of: name)
    #expect(verdict.alerts.isEmpty)
    #expect(verdict.findings.contains { $0.code == "SP503" && $0.cause == .loadMismatch })
    #expect(
      !verdict.findings.contains { $0.code.hasPrefix("SP2") || ($0.code.hasPrefix("SP3") && $0.severity != .info) })
  }

  @Test func theOnsetOfABlowUpAndItsLastHealthyCheckpoint() throws {
    let verdict = try verdict(of: "blow-up")
    #expect(verdict.onset.map { (31...35).contains($0) } == true && verdict.lastHealthyCheckpoint == 30)
    #expect(verdict.spread.departures.allSatisfy { $0.step == 35 } && !verdict.spread.departures.isEmpty)
  }
}
