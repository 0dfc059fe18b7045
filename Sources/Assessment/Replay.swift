import Diagnosis

/// What the detectors would have said of a run while it went on: the verdict at every look, of what was known then.
package struct Replay: Equatable, Sendable {
  /// How the run is watched.
  package enum Watch: Hashable, Sendable {
    /// Between each update and the next rollout, by the training core itself.
    case inProcess
    /// At every checkpoint, so many steps apart, from its file and the trainer's log.
    case files(spacing: Int)

    /// As the columns of `runs.csv` have it.
    package var name: String {
      switch self {
      case .inProcess: "process"
      case .files(let spacing): "files\(spacing)"
      }
    }
  }

  /// What the verdict may use.
  package enum Sight: String, CaseIterable, Sendable {
    case weights, behaviour, joint

    func of(_ run: RunEvidence) -> RunEvidence {
      switch self {
      case .weights: run.weightsAlone
      case .behaviour: run.behaviourAlone
      case .joint: run
      }
    }
  }

  /// The first look at which each code alerted.
  package let alerts: [String: Int]
  /// The first look at which anything did; nil where nothing ever did.
  package var alarm: Int? { alerts.values.min() }

  /// - Parameter looks: ascending steps at which the verdict is asked for.
  /// - Parameter run: all that was known at the end.
  package init(of run: RunEvidence, looks: [Int], sight: Sight) {
    let seen = sight.of(run)
    var alerts: [String: Int] = [:]
    // A rule may speak at one look and be silent at a later one, so every look counts.
    for look in looks {
      for finding in Verdict(on: seen.upTo(look)).alerts where alerts[finding.code] == nil {
        alerts[finding.code] = look
      }
    }
    self.alerts = alerts
  }
}
