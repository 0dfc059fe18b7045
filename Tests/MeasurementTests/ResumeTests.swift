import Foundation
import Measurement
import RunStore
import Spectra
import Synchronization
import TestSupport
import Testing

/// An interrupted analysis goes on where it was, and its result is that of one that never stopped.
@Suite struct ResumeTests {
  private let run: SyntheticRun
  private let whole: Data

  init() throws {
    run = try SyntheticRun()
    for step in [10, 20, 30] { try run.write(step: step) }
    _ = try run.measure()
    whole = try run.written()
    try FileManager.default.removeItem(atPath: run.folder.path("analysis.h5"))
  }

  private var journal: String { run.folder.path("analysis.h5.pieces") }

  /// Stops after that many pieces.
  private func interrupt(after pieces: Int) throws {
    let options = run.options()
    let done = Mutex(0)
    let plan = try MeasurementPlan(options)
    #expect(plan.pieceCount == 6)
    let stopped = try #require(throws: MeasurementPlan.Interrupted.self) {
      try plan.run(
        options, shouldStop: { done.withLock { $0 } >= pieces }, report: { state in done.withLock { $0 = state.done } })
    }
    #expect(stopped.progress.done == pieces && stopped.journal == journal)
    #expect(!FileManager.default.fileExists(atPath: options.output))
  }

  /// Goes on; returns how many pieces were taken over.
  private func resume() throws -> Int {
    let options = run.options()
    let reports = Mutex<[MeasurementPlan.Progress]>([])
    _ = try MeasurementPlan(options).run(options, report: { state in reports.withLock { $0.append(state) } })
    let seen = reports.withLock { $0 }
    #expect(seen.last?.done == 6 && seen.allSatisfy { $0.total == 6 && $0.resumed == seen[0].resumed })
    #expect(seen.count == 1 + 6 - seen[0].resumed, "one report at the start, and one for each piece that was measured")
    #expect(try run.written() == whole)
    #expect(!FileManager.default.fileExists(atPath: journal))
    return seen[0].resumed
  }

  @Test(arguments: 1...5) func piecesAreTakenOver(pieces: Int) throws {
    try interrupt(after: pieces)
    #expect(try resume() == pieces)
  }

  @Test func aTornLastLineCostsOnePiece() throws {
    try interrupt(after: 4)
    let bytes = try #require(FileManager.default.contents(atPath: journal))
    try bytes.dropLast(30).write(to: URL(filePath: journal))
    #expect(try resume() == 3)
  }

  @Test func aSecondInterruptionAfterATornLineLosesNothingMore() throws {
    try interrupt(after: 2)
    let bytes = try #require(FileManager.default.contents(atPath: journal))
    try (bytes + Data(#"{"step":10,"module":"layers.1.q","rows":[{"del"#.utf8)).write(to: URL(filePath: journal))
    try interrupt(after: 5)
    #expect(try resume() == 5)
  }

  @Test func anotherAnalysissJournalIsThrownAway() throws {
    try interrupt(after: 4)
    try run.write(step: 30, alpha: 4)
    // The same content written again at another time: it could be another file, so nothing is kept.
    #expect(try resume() == 0)
  }

  @Test(arguments: ["", "no journal at all", "{}\n"]) func aForeignFileIsNoJournal(text: String) throws {
    try run.folder.write("analysis.h5.pieces", text)
    #expect(try resume() == 0)
  }

  @Test func theResultDoesNotDependOnTheJobs() throws {
    for jobs in [1, 2, 16] {
      let outcome = try run.measure(jobs: jobs, output: "jobs-\(jobs).h5")
      #expect(try run.written("jobs-\(jobs).h5") == whole)
      // What the caller gets is what the file holds, if in no order.
      let stored = try AnalysisFile.read(from: run.folder.path("jobs-\(jobs).h5"))
      #expect(outcome.analysis.rows.sorted(by: precedes) == stored.rows.sorted(by: precedes))
      #expect(outcome.analysis.findings == stored.findings)
    }
  }

  private func precedes(_ a: SpectrumRow, _ b: SpectrumRow) -> Bool {
    (a.step, a.module, a.delta) < (b.step, b.module, b.delta)
  }
}
