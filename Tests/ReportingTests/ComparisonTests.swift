import Adapters
import Foundation
import Reporting
import RunStore
import Spectra
import Testing
import Weights

/// A run of modules `a` and `b` with ‖W₀‖_F = 3 and 4, together 5, whose numbers are the same in both.
private func run(
  _ name: String = "run", method: String = "lora", norms: [(step: Int, norm: Double)], delta: Delta = .initial,
  metrics: [Metric: Double] = [:], baseNorms: [String: Double] = ["a": 3, "b": 4],
  records: TrainingRecords = TrainingRecords()
) -> ComparedRun {
  let rows = norms.flatMap { step, norm in
    baseNorms.keys.sorted().map { module in
      // Both modules move by the same part of themselves, so that the total is this part of 5.
      let (size, base) = (norm * baseNorms[module]! / 5, baseNorms[module]!)
      let own: [Metric: Double] = [.rows: 8, .columns: 8, .k: 2, .frobeniusNorm: size, .relativeNorm: size / base]
      return row(step, module, delta, metrics: own.merging(metrics) { $1 }, method: method)
    }
  }
  return ComparedRun(
    name: name, path: name + ".h5", analysis: Analysis(rows: rows, baseNorms: baseNorms), records: records)
}

private func error(_ runs: ComparedRun...) -> FileError? {
  do throws(FileError) {
    _ = try Comparison(runs)
    return nil
  } catch {
    return error
  }
}

private func close(_ a: Double?, _ b: Double, _ tolerance: Double = 1e-12) -> Bool {
  a.map { abs($0 - b) <= tolerance * max(1, abs(b)) } ?? false
}

// MARK: - By norm

@Suite struct RunTrajectoryTests {
  private func trajectory(_ run: ComparedRun) throws -> RunTrajectory { RunTrajectory(run, try SharedModules([run])) }

  @Test func sizesAreTotalsOverTheModules() throws {
    let trajectory = try trajectory(
      run(norms: [(5, 0.5)], metrics: [.spectralShift: 0.01, .effectiveRank: 3, .rank: 4]))
    let point = try #require(trajectory.points.first)
    #expect(close(point.norm, 0.5) && close(point.values[.relativeNorm], 0.1))
    // √((0.01·3)² + (0.01·4)²)/5
    #expect(close(point.values[.spectralShift], 0.01))
    #expect(point.values[.effectiveRank] == 0.75 && point.values[.step] == 5 && point.values[.reward] == nil)
  }

  @Test func aTotalOfModulesThatDiffer() throws {
    var run = run(norms: [(5, 0.5)])
    run.analysis.rows[0].metrics[.spectralShift] = 0.1
    run.analysis.rows[1].metrics[.spectralShift] = 0
    #expect(close(try trajectory(run).points[0].values[.spectralShift], 0.06))
    run.analysis.rows[1].metrics[.spectralShift] = nil
    #expect(try trajectory(run).points[0].values[.spectralShift] == nil)
  }

  /// Halfway between 1 and 4 in the logarithm lies 2: halfway between the steps, and between the numbers there.
  @Test func interpolationIsLinearInTheLogarithmOfTheNorm() throws {
    var run = run(norms: [(0, 0), (10, 1), (20, 4)])
    for index in run.analysis.rows.indices {
      run.analysis.rows[index].metrics[.spectralShift] = [0: nil, 10: 0.1, 20: 0.4][run.analysis.rows[index].step]!
    }
    let trajectory = try trajectory(run)
    #expect(trajectory.norms == 1...4)
    let values = try #require(trajectory.values(atNorm: 2))
    #expect(close(values[.step], 15) && close(values[.spectralShift], 0.25) && close(values[.relativeNorm], 0.4))
    #expect(trajectory.values(atNorm: 1)?[.step] == 10 && trajectory.values(atNorm: 4)?[.step] == 20)
  }

  @Test func nothingIsExtrapolated() throws {
    let trajectory = try trajectory(run(norms: [(10, 1), (20, 4)]))
    #expect(trajectory.values(atNorm: 0.999) == nil && trajectory.values(atNorm: 4.001) == nil)
  }

  /// Up to 4, down to 2, up to 8: 3 was passed on the way up, and 6 on the last stretch.
  @Test func theFirstCrossingCounts() throws {
    let trajectory = try trajectory(run(norms: [(10, 1), (20, 4), (30, 2), (40, 8)]))
    #expect(close(trajectory.values(atNorm: 2)?[.step], 15))
    #expect(close(trajectory.values(atNorm: 4)?[.step], 20))
    let third = 30 + 10 * log(3.0) / log(4.0)
    #expect(close(trajectory.values(atNorm: 6)?[.step], third))
  }

  @Test func aQuantityThatOneCheckpointLacksIsMissingBetween() throws {
    var run = run(norms: [(10, 1), (20, 4)], metrics: [.spectralShift: 0.1])
    run.analysis.rows[0].metrics[.spectralShift] = nil
    let trajectory = try trajectory(run)
    #expect(trajectory.values(atNorm: 2)?[.spectralShift] == nil)
    #expect(trajectory.values(atNorm: 4)?[.spectralShift] != nil)
  }

  @Test func aStepWithoutEveryModuleIsLeftOut() throws {
    var run = run(norms: [(5, 1), (10, 2)])
    run.analysis.rows.removeLast()
    let other = self.run(norms: [(5, 1), (10, 2)])
    let trajectory = RunTrajectory(run, try SharedModules([run, other]))
    #expect(trajectory.points.map(\.step) == [5] && trajectory.incompleteSteps == [10])
  }

  private func run(norms: [(step: Int, norm: Double)], metrics: [Metric: Double] = [:]) -> ComparedRun {
    ReportingTests.run(norms: norms, metrics: metrics)
  }

  /// DoRA: sizes of the whole update, shapes of `init.direction`.
  @Test func shapesOfDoRAAreThoseOfItsDirection() throws {
    var run = ReportingTests.run(method: "dora", norms: [(5, 0.5)], metrics: [.leftOverlap: 0.9, .rank: 4])
    let direction = ReportingTests.run(
      method: "dora", norms: [(5, 0.3)], delta: .initialDirection, metrics: [.leftOverlap: 0.2, .rank: 4])
    run.analysis.rows += direction.analysis.rows
    let trajectory = try trajectory(run)
    #expect(trajectory.isWithoutMagnitude && close(trajectory.points[0].norm, 0.5))
    #expect(trajectory.points[0].values[.leftOverlap] == 0.2)
  }
}

// MARK: - Alignment

@Suite struct AlignmentTests {
  private func comparison(_ runs: ComparedRun..., points: Int = 3) throws -> Comparison {
    try Comparison(runs, points: points)
  }

  @Test func commonStepsWithoutThoseWithoutAnUpdate() throws {
    let found = try comparison(
      run(norms: [(0, 0), (5, 1), (10, 2), (20, 3)]), run(norms: [(0, 0), (10, 1), (15, 2), (20, 3)])
    ).steps
    #expect(found.points.map(\.position) == [10, 20] && !found.isNearestBelow)
  }

  @Test func theNearestCheckpointBelow() throws {
    let comparison = try comparison(
      run("x", norms: [(5, 1), (10, 2), (20, 3)]), run("y", norms: [(8, 1), (12, 2), (16, 3)]))
    let points = comparison.steps.points
    #expect(comparison.steps.isNearestBelow && points.map(\.position) == [10, 20])
    #expect(points.map { $0.values[1]?[.step] } == [8, 16])
    #expect(
      comparison.notes.contains(
        "no step is common to all runs: each stands at its nearest checkpoint below a step of x"))
    #expect(comparison.stepTable.contains("step"))
  }

  @Test func noStepAtAll() throws {
    let comparison = try comparison(run("x", norms: [(5, 1)]), run("y", norms: [(8, 1)]))
    #expect(comparison.steps.points.isEmpty)
    #expect(comparison.stepTable == "at equal steps: none")
    #expect(comparison.notes.contains("no step to compare: no run has a checkpoint at or below the steps of x"))
  }

  @Test func theGridIsGeometricWithinTheCommonNorms() throws {
    let runs = (run(norms: [(10, 1), (20, 16)]), run(norms: [(10, 2), (20, 8)]))
    let points = try comparison(runs.0, runs.1).norms.points
    #expect(points.map(\.position) == [2, 4, 8])
    #expect(points.allSatisfy { $0.values.allSatisfy { $0 != nil } })
    #expect(try comparison(runs.0, runs.1, points: 1).norms.points.map(\.position) == [4])
  }

  @Test func rangesThatDoNotOverlapAreNamed() throws {
    let comparison = try comparison(
      run("x", norms: [(10, 1), (20, 2)]), run("y", norms: [(10, 3), (20, 4)]))
    #expect(comparison.norms.points.isEmpty)
    #expect(comparison.norms.apart == [NormAlignment.Apart(run: 1, norms: 3...4, others: 1...2)])
    #expect(comparison.normTable == "at equal ‖ΔW‖: none, see the notes")
    #expect(
      comparison.notes == [
        "y is not compared at equal norm: its ‖ΔW‖_F goes from 3.00 to 4.00, and that of x from 1.00 to 2.00"
      ])
    #expect(comparison.conclusion.last?.contains("no sizes are equal") == true)
  }

  /// One run that is apart does not keep the others from being compared.
  @Test func theOthersAreComparedWithoutARunThatIsApart() throws {
    let comparison = try comparison(
      run("x", norms: [(10, 1), (20, 8)]), run("y", norms: [(10, 20), (20, 40)]), run("z", norms: [(10, 2), (20, 4)]))
    #expect(comparison.norms.points.first?.position == 2 && comparison.norms.points.last?.position == 4)
    #expect(comparison.norms.points.allSatisfy { $0.values[1] == nil && $0.values[2] != nil })
    #expect(comparison.norms.apart.map(\.run) == [1])
  }

  @Test func anUnknownStartHasNoNorm() throws {
    let unknown = run("y", norms: [(5, 1), (10, 1)], delta: .previous, metrics: [.updateVelocity: 0.02])
    var known = run("x", norms: [(5, 1), (10, 2)])
    known.analysis.rows +=
      run(norms: [(5, 1), (10, 1)], delta: .previous, metrics: [.updateVelocity: 0.01]).analysis.rows
    for runs in [[known, unknown], [unknown, known]] {
      let comparison = try Comparison(runs)
      #expect(comparison.norms.points.isEmpty)
      let ratio = comparison.ratio(.velocity, run: 1, at: comparison.steps.points[0])
      #expect(close(ratio, runs[0].name == "x" ? 2 : 0.5))
      #expect(comparison.notes.contains { $0.hasPrefix("y has no rows since its start, which is not known") })
      #expect(comparison.notes.contains { $0.hasPrefix("y has no ‖ΔW‖_F since its start") })
      #expect(!comparison.normTable.isEmpty && !comparison.json.text().isEmpty)
    }
  }
}

// MARK: - What can be compared

@Suite struct ComparableRunsTests {
  private let norms = [(step: 5, norm: 1.0), (step: 10, norm: 2.0)]

  @Test func differentBasesAreRefused() throws {
    let found = try #require(error(run("x", norms: norms), run("y", norms: norms, baseNorms: ["a": 3, "b": 4.00001])))
    #expect(found.kind == .badContent && found.path == "y.h5" && found.object == "b")
    #expect(found.problem == "expected ‖W₀‖_F = 4.0 as in x.h5, found 4.00001")
    #expect(error(run("x", norms: norms), run("y", norms: norms, baseNorms: ["a": 3, "b": 4.000001])) == nil)
  }

  @Test func anUnknownBaseNormIsThatOfTheRows() throws {
    var other = run("y", norms: norms, baseNorms: ["a": 3, "b": 5])
    other.analysis.baseNorms = [:]
    #expect(error(run("x", norms: norms), other)?.object == "b")
  }

  @Test func otherShapesAreRefused() throws {
    let found = try #require(error(run("x", norms: norms), run("y", norms: norms, metrics: [.rows: 16])))
    #expect(found.object == "a")
    #expect(found.problem == "expected the shape [8, 8] that it has in x.h5, found [16, 8]")
  }

  @Test func nothingInCommonIsRefused() throws {
    let found = try #require(error(run("x", norms: norms), run("y", norms: norms, baseNorms: ["c": 1])))
    #expect(found.kind == .badContent && found.problem.contains("found none in common with x.h5"))
    let empty = ComparedRun(name: "z", path: "z.h5", analysis: Analysis(), records: TrainingRecords())
    #expect(error(run("x", norms: norms), empty)?.path == "z.h5")
  }

  @Test func modulesOfSomeRunsAreLeftOut() throws {
    let comparison = try Comparison([
      run("x", norms: norms), run("y", norms: norms, baseNorms: ["a": 3, "b": 4, "c": 5]),
    ])
    #expect(comparison.modules.names == ["a", "b"])
    #expect(comparison.notes.first == "2 modules are in all runs; 1 that only some have is left out")
  }

  @Test func differentKLeavesDirectionsOut() throws {
    let metrics: [Metric: Double] = [.leftOverlap: 0.5, .rightOverlap: 0.5, .spectralShift: 0.1]
    let comparison = try Comparison([
      run("x", norms: norms, metrics: metrics), run("y", norms: norms, metrics: metrics.merging([.k: 4]) { $1 }),
    ])
    #expect(
      comparison.modules.difference
        == SharedModules.DirectionDifference(module: "a", smallest: 2, largest: 4, remedy: 2))
    #expect(!comparison.quantities.contains(.overlap) && comparison.quantities.contains(.spectralShift))
    #expect(
      comparison.notes == [
        "energy, overlap and shift velocity are left out, because k differs: in a it is 2 and 4; analyse every run again "
          + "with `spectroscope analyze … --k 2`"
      ])
    #expect(!comparison.stepTable.contains("overlap"))
  }

  @Test func columnsThatARunLacksAreNamed() throws {
    var shallow = run("y", norms: norms)
    shallow.analysis.origin.depth = "update"
    let comparison = try Comparison([
      run("x", norms: norms, metrics: [.spectralShift: 0.1]), shallow,
      run("z", norms: norms, metrics: [.spectralShift: 0.2]),
    ])
    #expect(
      comparison.notes == [
        "not in y (analysed at depth update): spectral shift; `spectroscope analyze … --depth full` computes what a "
          + "lower depth leaves out"
      ])
    #expect(close(comparison.ratio(.spectralShift, run: 2, at: comparison.steps.points[0]), 2))
    #expect(comparison.ratio(.spectralShift, run: 1, at: comparison.steps.points[0]) == nil)
    let pair = try Comparison(Array(comparison.runs.prefix(2)))
    #expect(!pair.quantities.contains(.spectralShift) && pair.notes == comparison.notes)
  }
}

// MARK: - Marks

@Suite struct DifferenceMarkTests {
  /// What is marked by construction of a method against LoRA.
  @Test(arguments: [
    ("lora", []), ("pissa", ["effectiveRank", "enrichmentTop", "overlap"]),
    ("milora", ["effectiveRank", "enrichmentBottom"]), ("svd", ["effectiveRank"]),
    ("ia3", ["effectiveRank", "enrichmentTop", "enrichmentBottom", "overlap"]),
    ("ln-tuning", ["effectiveRank", "enrichmentTop", "enrichmentBottom", "overlap"]),
    ("dora", ["effectiveRank", "enrichmentTop", "enrichmentBottom", "overlap"]), ("full", ["effectiveRank"]),
    ("vera", ["enrichmentTop", "enrichmentBottom", "overlap"]),
    ("miss", ["enrichmentTop", "enrichmentBottom", "overlap"]),
    ("lora-fa", ["enrichmentTop", "enrichmentBottom", "overlap"]), ("adalora", []), ("unknown", []),
  ])
  func byMethod(method: String, marked: [String]) throws {
    let norms = [(step: 5, norm: 1.0)]
    let comparison = try Comparison([run(norms: norms), run(method: method, norms: norms)])
    let found = ComparedQuantity.allCases.filter { $0.side == nil && comparison.isByConstruction($0, run: 1) }
    #expect(found.map { "\($0)" } == marked)
  }

  @Test func frozenRowsDecideTheRightSideAlone() throws {
    let norms = [(step: 5, norm: 1.0)]
    let comparison = try Comparison([run(norms: norms), run(method: "vera", norms: norms)])
    #expect(
      comparison.isByConstruction(.rightOverlap, run: 1) && comparison.isByConstruction(.rightEnrichmentTop, run: 1))
    #expect(!comparison.isByConstruction(.leftOverlap, run: 1))
  }

  @Test func controlsAreMarkedByTheirDirections() throws {
    let norms = [(step: 5, norm: 1.0)]
    var control = run("c", method: "svd", norms: norms)
    #expect(
      try Comparison([run(norms: norms), control]).notes.contains { $0.hasPrefix("c is a control whose directions") })
    control.directions = .bottom
    let comparison = try Comparison([run(norms: norms), control])
    #expect(comparison.isByConstruction(.enrichmentBottom, run: 1) && !comparison.isByConstruction(.overlap, run: 1))
    #expect(comparison.notes.isEmpty)
  }

  /// Two runs of one construction do not differ by it.
  @Test func equalConstructionsAreNotMarked() throws {
    let norms = [(step: 5, norm: 1.0)]
    let comparison = try Comparison([run(method: "pissa", norms: norms), run(method: "pissa", norms: norms)])
    #expect(ComparedQuantity.allCases.allSatisfy { !comparison.isByConstruction($0, run: 1) })
    let mixed = try Comparison([run(method: "pissa", norms: norms), run(method: "milora", norms: norms)])
    #expect(mixed.isByConstruction(.overlap, run: 1) && !mixed.isByConstruction(.effectiveRank, run: 1))
  }

  @Test(arguments: [
    (2.0, 2.0, true), (2.0, 1.5, true), (2.0, 2.19, true), (2.0, 2.21, false), (2.0, 1.05, false), (2.0, 0.5, false),
    (0.5, 0.5, true), (0.5, 0.8, true), (0.5, 0.4, false), (1.05, 1.05, false), (1.0, 3.0, false), (0.0, 0.0, false),
  ])
  func growth(start: Double, now: Double, isMarked: Bool) {
    #expect(Comparison.hasNotGrown(now, since: start) == isMarked)
  }

  /// The first line is where differences begin, and has no mark of its own.
  @Test func theFirstPointHasNone() throws {
    func shifted(_ shifts: [Double], _ name: String) -> ComparedRun {
      var found = run(name, norms: [(5, 1), (10, 2), (15, 3)])
      for index in found.analysis.rows.indices {
        found.analysis.rows[index].metrics[.spectralShift] = shifts[found.analysis.rows[index].step / 5 - 1]
      }
      return found
    }
    let comparison = try Comparison([shifted([1, 1, 1], "x"), shifted([2, 1.5, 4], "y")])
    let points = comparison.steps.points
    #expect(points.indices.map { comparison.mark(.spectralShift, run: 1, at: $0, in: points) } == [nil, .start, nil])
  }
}
