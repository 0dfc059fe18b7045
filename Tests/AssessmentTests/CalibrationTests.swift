import Assessment
import Diagnosis
import Foundation
import OrderedCollections
import TestSupport
import Testing

struct CalibrationTests {
  private func seen(
    _ label: RunLabel, _ size: Double, _ shift: Double?, method: String = "lora", base: String = "one"
  ) -> Calibration.Observation {
    Calibration.Observation(
      run: "\(base) \(method) \(size)", base: base, method: method, label: label,
      strides: [
        Stride(step: 1, stretch: 1, size: size, shift: shift), Stride(step: 4, stretch: 1, size: size / 4, shift: nil),
      ])
  }

  @Test func boundsLieBetweenHealthyAndCollapsed() throws {
    let (bounds, elsewhere) = Calibration.strideBounds(
      spacing: 1,
      [
        seen(.clean, 0.1, 0.01), seen(.unlearned, 0.01, 0.001), seen(.clean, 0.04, 0.004), seen(.damaged, 9, 9),
        seen(.collapsed, 0.4, 0.09), seen(.collapsed, 0.9, 0.04), seen(.clean, 1, 1, method: "dora"),
        seen(.clean, 0.05, 0.005, base: "two"),
      ])
    let lora = try #require(bounds.methods["lora"])
    #expect(lora.size == .init(healthy: 0.1, collapsed: 0.4) && lora.shift == .init(healthy: 0.01, collapsed: 0.04))
    #expect(lora.size.value == 0.2 && lora.shift!.value == 0.02)
    #expect(lora.healthyRuns == 4 && lora.collapsedRuns == 2)
    // Of one healthy run there is nothing to take a bound from.
    #expect(bounds.methods["dora"] == nil)
    #expect(bounds.goal == 0.25)
    // The other base has too few runs for bounds that the first could be held against.
    #expect(elsewhere == ["two lora 0.05": 0.25])
    #expect(
      bounds.healthyExcesses == [0.25] && bounds.alarm == 1 && bounds.pValue(0.25) == 1 && bounds.pValue(0.26) == 0.5)
  }

  /// What is healthy on one base may lie beyond the bounds of another, and the alarm has to bear it.
  @Test func theAlarmIsWhatANewBaseMayDo() {
    let runs = (1...3).flatMap { [seen(.clean, Double($0), nil), seen(.clean, 5 * Double($0), nil, base: "two")] }
    let (bounds, elsewhere) = Calibration.strideBounds(spacing: 5, runs)
    #expect(bounds.methods["lora"]!.size.value == 30 && bounds.methods["lora"]!.shift == nil)
    #expect(elsewhere["two lora 15.0"] == 2.5 && elsewhere["one lora 3.0"] == 0.1)
    #expect(bounds.alarm == 2.5 && bounds.spacing == 5)
  }

  @Test func whatIsUsualFallsWithTheStep() {
    func usual(_ step: Int, _ stretch: Int) -> Double {
      Stride(step: step, stretch: stretch, size: 0, shift: nil).usual
    }
    #expect(usual(1, 1) == 1 && abs(usual(4, 1) - 0.6) < 1e-15 && abs(usual(100, 1) - 0.28) < 1e-15)
    // The mean of the steps 7 to 11 counts as step 9.
    #expect(usual(11, 5) == usual(9, 1))
  }
}

/// What the repository holds of the corpus agrees with itself.
struct CorpusFilesTests {
  private static let folder = repositoryRoot + "/notebooks-data/corpus"

  /// The bounds in the program are those of the runs that they say they come from.
  @Test(arguments: [1, 5, 10, 20]) func theBoundsFollowFromTheRuns(_ spacing: Int) throws {
    let rows = try CorpusTable(reading: Self.folder + "/calibration.csv").rows
    #expect(rows.allSatisfy { $0.half == .calibration })
    let bounds = try #require(StrideBounds.calibrated.first { $0.spacing == spacing })
    let suffix = spacing == 1 ? "" : "_\(spacing)"
    func values(_ signal: Signal, _ rows: [CorpusRow]) -> [Double] {
      rows.compactMap { $0.signals[signal.rawValue + suffix] }
    }
    for (name, method) in bounds.methods {
      let own = rows.filter {
        ($0.method.hasPrefix("svd-") ? $0.method.split(separator: "-").prefix(2).joined(separator: "-") : $0.method)
          == name
      }
      let (healthy, collapsed) = (own.filter(\.isHealthy), own.filter { $0.label == .collapsed })
      #expect(values(.strideSize, healthy).max() == method.size.healthy, "\(name)")
      #expect(values(.strideSize, collapsed).min() == method.size.collapsed, "\(name)")
      #expect(values(.strideShift, healthy).max() == method.shift?.healthy, "\(name)")
      #expect(values(.strideShift, collapsed).min() == method.shift?.collapsed, "\(name)")
      #expect(
        values(.strideSize, healthy).count == method.healthyRuns
          && values(.strideSize, collapsed).count == method.collapsedRuns)
    }
    #expect(
      rows.filter(\.isHealthy).compactMap { $0.signals["excess_elsewhere_\(spacing)"] }.sorted()
        == bounds.healthyExcesses)
    #expect(bounds.healthyExcesses.count { $0 > bounds.alarm } <= bounds.healthyExcesses.count / 200)
  }

  @Test func theBoundsOfBehaviourFollowFromTheRuns() throws {
    let rows = try CorpusTable(reading: Self.folder + "/calibration.csv").rows
    #expect(Calibration.behaviourBound(.klIncrement, rows) == BehaviourBound.klVelocity)
    #expect(Calibration.behaviourBound(.klLevel, rows) == BehaviourBound.klLevel)
    #expect(Calibration.behaviourBound(.entropyRise, rows) == BehaviourBound.entropyRise)
    #expect(Calibration.behaviourBound(.rewardFall, rows) == BehaviourBound.rewardFall)
  }

  /// The page has the tables and curves of the numbers beside it, and the test half none of the calibration's bases, tasks and seeds.
  @Test func thePageIsOfItsTables() throws {
    let version = DetectorVersion.current
    func table(_ name: String) throws -> CorpusTable { try CorpusTable(reading: "\(Self.folder)/\(name).csv") }
    let (calibration, test) = (try table("calibration"), try table("test-v\(version)"))
    let gated = "\(Self.folder)/gated-v\(version).csv"
    let page = AssessmentPage(
      calibration: calibration, test: test, earlier: try (1..<version).map { try table("test-v\($0)") },
      gated: FileManager.default.fileExists(atPath: gated) ? try GatedTable(reading: gated).runs : [],
      version: version, spacings: [1, 5, 10, 20])
    let text = try String(contentsOfFile: Self.folder + "/README.md", encoding: .utf8)
    #expect(page.renewed(text) == text)
    #expect(page.figure.svg == (try String(contentsOfFile: Self.folder + "/roc.svg", encoding: .utf8)))
    func isDisjoint<Value: Hashable>(_ value: (CorpusRow) -> Value) -> Bool {
      Set(calibration.rows.map(value)).isDisjoint(with: test.rows.map(value))
    }
    #expect(isDisjoint(\.base) && isDisjoint(\.task) && isDisjoint(\.seed) && isDisjoint(\.run))
    #expect(calibration.rows.count + test.rows.count == 1765)
    #expect(test.rows.count { $0.label == .clean } >= 300 && test.rows.count { $0.label == .collapsed } >= 200)
  }
}
