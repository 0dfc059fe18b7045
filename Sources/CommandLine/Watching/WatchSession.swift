import Diagnosis
import Foundation
import Measurement
import Reporting
import RunStore
import Weights

/// Looks at a folder again and again, and tells of what it finds.
final class WatchSession {
  private let series: FollowedSeries
  private let log: AlertLog
  private let options: FollowOptions
  private let policy: GatePolicy
  private let receivers: [any AlertReceiver]
  private let couriers: [Courier]
  private let isQuiet: Bool
  /// What could not be done at the last look: said once, not at each.
  private var problems: Set<String> = []
  private var outcome: Verdict.Outcome?

  /// - Throws: `FileError` where another watcher has the state, or it cannot be written.
  init(
    _ options: FollowOptions, policy: GatePolicy, receivers: [any AlertReceiver], isQuiet: Bool
  ) throws(FileError) {
    let receivers = [StandardOutput()] + receivers
    (self.options, self.policy, self.receivers, self.isQuiet) = (options, policy, receivers, isQuiet)
    try FollowedSeries.makeState(options)
    log = try AlertLog(folder: options.state)
    series = try FollowedSeries(options)
    couriers = receivers.filter { !$0.isImmediate }.map { [log] receiver in
      Courier(receiver, log: log, source: options.source) { if !isQuiet { Console.error($0) } }
    }
  }

  /// One look: what is new is measured, judged, and told of.
  ///
  /// - Returns: the gate's outcome over all checkpoints so far; nil where there is nothing yet.
  func look() throws -> Verdict.Outcome? {
    let look = try series.look(willForget: log.forget) { Interruption.isWished }
    if let first = look.rewrittenFrom {
      outcome = nil
      note("the checkpoints from step \(first) on have been written anew, and are measured anew")
      if look.analysis == nil { refresh(nothing) }
    }
    guard let analysis = look.analysis else {
      if look.waiting.isEmpty { noteOnce("no checkpoint yet in \(options.source)") }
      return nil
    }
    if !look.measured.isEmpty || outcome == nil {
      let evidence = RunEvidence(analysis, records: analysis.training)
      let result = GateResult(on: evidence, policy: policy)
      outcome = result.outcome
      try log.raise(result.entries.filter(\.fails).map(\.finding))
      deliver()
      noteMeasured(look.measured, evidence, result)
      refresh(WatchStatus(evidence, result, source: options.source))
    } else {
      deliver()
    }
    return outcome
  }

  /// Where what was known is no longer so, and nothing is known yet.
  private var nothing: WatchStatus {
    let run = RunEvidence(rows: [])
    return WatchStatus(run, GateResult(on: run, policy: policy), source: options.source)
  }

  private func noteMeasured(_ steps: [Int], _ run: RunEvidence, _ result: GateResult) {
    guard let last = steps.last else { return }
    let velocity = run.updateVelocity.last.map { ", update velocity \($0.value.brief) a step" } ?? ""
    let list = steps.count == 1 ? "checkpoint \(last)" : "\(steps.count) checkpoints up to \(last)"
    note("\(list): \(result.outcome.rawValue)\(velocity)")
  }

  /// Gives the couriers a last chance; what they cannot deliver now is delivered by the next watcher.
  func end(within seconds: Double) { for courier in couriers { courier.finish(within: seconds) } }

  /// Brings alerts to the immediate receivers that have not had them. One that fails is asked again at the next look.
  private func deliver() {
    for receiver in receivers where receiver.isImmediate {
      for alert in log.pending(for: receiver.name) {
        do {
          try receiver.receive(alert, source: options.source)
          try log.deliver(alert, to: receiver.name)
        } catch {
          noteOnce("\(receiver.name): \(error); it is tried again")
          break
        }
      }
    }
  }

  private func refresh(_ status: WatchStatus) {
    for receiver in receivers {
      do {
        try receiver.refresh(status)
      } catch {
        noteOnce("\(receiver.name): \(error)")
      }
    }
  }

  private func note(_ text: String) { if !isQuiet { Console.error(text) } }

  private func noteOnce(_ text: String) { if problems.insert(text).inserted { note(text) } }
}

/// What an alert says to people.
struct AlertText {
  let line: String
  let remedy: String?

  init(_ finding: Finding) {
    let step = finding.step.map { "step \($0): " } ?? ""
    line = step + (finding.module.map { "\($0): " } ?? "") + finding.message
    remedy = finding.remedy
  }
}
