import Spectra

/// What all findings of a run come to.
package struct Verdict: Sendable {
  package enum Outcome: String, Sendable, Codable, CaseIterable {
    case healthy, alert, inconclusive
  }

  package var outcome: Outcome
  /// By onset: first those of the run as a whole, then by step; at one step the graver first.
  package var findings: [Finding]
  /// What could not be judged, and what would supply it.
  package var gaps: [Gap]
  /// What brought the alerts about, where the evidence tells.
  package var cause: Cause?
  /// The earliest step of an alert.
  package var onset: Int?
  /// The last checkpoint before the onset; nil without an alert, or where there is none.
  package var lastHealthyCheckpoint: Int?
  /// The last checkpoint that was looked at.
  package var lastCheckpoint: Int?
  /// The modules that left their band, in the order in which they did.
  package var spread: Spread

  package init(
    outcome: Outcome, findings: [Finding], gaps: [Gap], cause: Cause? = nil, onset: Int? = nil,
    lastHealthyCheckpoint: Int? = nil, lastCheckpoint: Int? = nil, spread: Spread = Spread()
  ) {
    self.outcome = outcome
    self.findings = findings
    self.gaps = gaps
    self.cause = cause
    self.onset = onset
    self.lastHealthyCheckpoint = lastHealthyCheckpoint
    self.lastCheckpoint = lastCheckpoint
    self.spread = spread
  }

  package var alerts: [Finding] { findings.filter { $0.severity == .alert } }
  package var warnings: [Finding] { findings.filter { $0.severity == .warning } }
}

extension Verdict {
  /// The verdict on a run: every rule of the catalogue, then what they come to.
  ///
  /// An alert makes it `alert`. Without one, anything that could not be judged for want of data or calibration makes it
  /// `inconclusive`; else it is `healthy`, warnings or not.
  package init(on run: RunEvidence) {
    let judged = Catalogue.kinds.map { $0.judge(run) }
    let all = Mismatch.withholding(Remedies.added(to: run.reading, run.setup) + judged.flatMap(\.findings))
    var gaps = judged.flatMap(\.gaps) + DataGaps.gaps(of: run) + all.gaps
    var seen: Set<Gap> = []
    gaps = gaps.filter { seen.insert($0).inserted }
    let confirmed = CollapseConfirmed.finding(in: run, among: all.findings).map { [$0] } ?? []
    self.init(findings: all.findings + confirmed, gaps: gaps, run: run)
  }

  /// The verdict of findings that are given.
  package init(findings: [Finding], gaps: [Gap], run: RunEvidence) {
    let sorted = findings.sorted { ($0.step ?? -1, $1.severity, $0.code) < ($1.step ?? -1, $0.severity, $1.code) }
    let alerts = sorted.filter { $0.severity == .alert }
    let onset = alerts.compactMap(\.step).min()
    self.init(
      outcome: alerts.isEmpty ? (gaps.isEmpty ? .healthy : .inconclusive) : .alert, findings: sorted, gaps: gaps,
      cause: Self.cause(of: alerts), onset: onset,
      lastHealthyCheckpoint: alerts.compactMap(\.firstSickStep).min().flatMap { run.checkpoint(before: $0) },
      lastCheckpoint: run.checkpoints.last, spread: Spread(of: run, findings: sorted))
  }

  /// A load mismatch explains everything that comes after it; else the cause of the earliest alert that has one.
  private static func cause(of alerts: [Finding]) -> Cause? {
    alerts.contains { $0.cause == .loadMismatch } ? .loadMismatch : alerts.lazy.compactMap(\.cause).first
  }
}

/// What to do about findings that were noticed before the setup was known.
enum Remedies {
  static func added(to findings: [Finding], _ setup: RunSetup) -> [Finding] {
    findings.map { finding in
      var finding = finding
      finding.remedy = finding.remedy ?? Catalogue.kind(finding.code)?.remedy(for: setup)
      return finding
    }
  }
}

/// Too little to judge by.
enum DataGaps {
  /// Trained checkpoints that a verdict from weights needs.
  static let leastCheckpoints = 2
  /// Records that one from behaviour needs.
  static let leastRecords = 5

  static func gaps(of run: RunEvidence) -> [Gap] {
    guard !run.rows.isEmpty else {
      return [
        Gap(
          .data,
          "no update could be measured: pass the adapter of step 0 with --initial, or wait for another checkpoint")
      ]
    }
    let records = max(run.timeline["reward"].count, run.timeline["loss"].count)
    if run.checkpoints.count(where: { $0 > 0 }) < leastCheckpoints, records < leastRecords {
      return [
        Gap(
          .data,
          "one checkpoint says nothing of change: at least \(leastCheckpoints) are needed, or \(leastRecords) records of reward or loss"
        )
      ]
    }
    if run.updateVelocity.isEmpty, records < leastRecords {
      return [Gap(.data, "how fast the weights move is unknown, and there is no record of reward or loss")]
    }
    return []
  }
}

/// A mismatch of adapter and base is ruled out before a collapse is believed.
enum Mismatch {
  /// Leaves out what a mismatch makes meaningless, and says so.
  static func withholding(_ findings: [Finding]) -> (findings: [Finding], gaps: [Gap]) {
    let mismatches = findings.filter { $0.cause == .loadMismatch && $0.severity == .alert }
    let borders = Set(
      findings.filter { $0.code == TwoRuns.page.code || $0.code == SeriesChanged.page.code }.compactMap(\.step))
    let kept = findings.filter { finding in
      guard finding.cause != .loadMismatch, isSpectral(finding) else { return true }
      if !mismatches.isEmpty { return false }
      return finding.step.map { !borders.contains($0) } ?? true
    }
    guard kept.count < findings.count else { return (kept, []) }
    let reason = mismatches.first.map { "\($0.code) \($0.name)" } ?? "two runs in one folder"
    return (kept, [Gap(.data, "velocity and shape of the update, which \(reason) makes meaningless")])
  }

  private static func isSpectral(_ finding: Finding) -> Bool {
    (finding.code.hasPrefix("SP2") || finding.code.hasPrefix("SP3")) && finding.code != SeriesChanged.page.code
  }
}

/// Which modules left their band, and when.
package struct Spread: Equatable, Sendable {
  /// One module.
  package struct Departure: Equatable, Sendable {
    package var module: String
    package var step: Int
    /// Its velocity ÷ the upper end of its band.
    package var ratio: Double
  }

  /// In the order in which they left.
  package var departures: [Departure] = []
  /// How many modules there are.
  package var modules = 0

  package init() {}

  /// A module's band ends where it would if all modules moved alike and as far together as the method bears, or at so many times its own past.
  init(of run: RunEvidence, findings: [Finding]) {
    modules = run.modules.count
    guard
      let alert = findings.first(where: { $0.severity == .alert && ($0.cause == .stepSize || $0.cause == .direction) })
    else { return }
    let isCalibrated = [UpdateVelocity.page.code, ShiftVelocity.page.code].contains(alert.code)
    departures = run.modules.compactMap { module in
      let velocity = run.series(.updateVelocity, .previous, of: module).points.filter { $0.value > 0 }
      let own = Diagnosis.median(velocity.filter { $0.step < alert.step ?? .max }.map(\.value))
      for point in velocity {
        let end =
          isCalibrated
          ? run.usualModuleVelocity(at: point.step)
          : own.map { VelocityJump.leastRatio * $0 }
        guard let end, end > 0, point.value > end else { continue }
        return Departure(module: module, step: point.step, ratio: point.value / end)
      }
      return nil
    }.sorted { ($0.step, -$0.ratio) < ($1.step, -$1.ratio) }
  }
}

extension RunEvidence {
  /// A module's velocity at a checkpoint if all modules had the same, and together the largest that the method bears.
  fileprivate func usualModuleVelocity(at step: Int) -> Double? {
    let stretch = stretch(to: step)
    guard let bound = StrideBounds.at(spacing: stretch)?.methods[boundedMethod]?.size.value, !modules.isEmpty else {
      return nil
    }
    return bound * Stride(step: step, stretch: stretch, size: 0, shift: nil, refused: refusedUpdates(by: step)).usual
      / Double(modules.count).squareRoot()
  }

  /// The steps from the checkpoint before to the one of `step`, or from the start.
  func stretch(to step: Int) -> Int { step - (checkpoint(before: step) ?? 0) }
}
