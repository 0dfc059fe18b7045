import Diagnosis
import Foundation
import Measurement
import Reporting
import RunStore
import Spectra
import Weights

/// Someone or something that is told of alerts.
protocol AlertReceiver: Sendable {
  /// By which deliveries are remembered; without anything secret.
  var name: String { get }
  /// True where it is told at once and by the watcher itself; false for what may be slow or gone.
  var isImmediate: Bool { get }
  /// Throws where it could not be told; it is told again later.
  func receive(_ alert: AlertLog.Alert, source: String) throws
  /// Takes the state of things after each new checkpoint.
  func refresh(_ status: WatchStatus) throws
}

extension AlertReceiver {
  var isImmediate: Bool { false }
  func receive(_ alert: AlertLog.Alert, source: String) throws {}
  func refresh(_ status: WatchStatus) throws {}
}

/// Where things stand after the last checkpoint.
struct WatchStatus {
  var source: String
  var outcome: Verdict.Outcome
  var lastCheckpoint: Int?
  var failing: Int
  /// By the names of `modules.csv`, of the last checkpoint.
  var values: [(name: String, help: String, value: Double)]

  init(_ run: RunEvidence, _ result: GateResult, source: String) {
    self.source = source
    (outcome, lastCheckpoint) = (result.outcome, run.checkpoints.last)
    failing = result.entries.count(where: \.fails)
    let delta = run.sizeDelta
    let found: [(String, String, Double?)] = [
      (
        "update_velocity", "Norm of the weights' change a step, relative to the weights.",
        run.updateVelocity.last?.value
      ),
      (
        "shift_velocity", "Change of the leading and trailing singular values a step, relative to the weights.",
        run.shiftVelocity.last?.value
      ),
      (
        "relative_norm", "Norm of the update since the start, relative to the weights.",
        run.total(.relativeNorm, delta).last?.value
      ),
      (
        "effective_rank", "Effective rank of the update since the start, in the median over modules.",
        run.median(.effectiveRank, delta).last?.value
      ),
      (
        "stable_rank", "Stable rank of the update since the start, in the median over modules.",
        run.median(.stableRank, delta).last?.value
      ),
    ]
    values = found.compactMap { name, help, value in value.map { (name, help, $0) } }
  }
}

/// Whoever reads what the program prints.
struct StandardOutput: AlertReceiver {
  var name: String { "standard output" }
  var isImmediate: Bool { true }

  func receive(_ alert: AlertLog.Alert, source: String) throws {
    let finding = alert.finding
    Console.print("alert \(finding.code) \(finding.name): \(AlertText(finding).line.onOneLine)")
  }
}

/// `--stop-file`: a file that a trainer obeys. It appears with the first alert and stays until somebody removes it.
struct StopFile: AlertReceiver {
  let path: String
  var name: String { "stop file \(path)" }
  var isImmediate: Bool { true }

  func receive(_ alert: AlertLog.Alert, source: String) throws {
    guard !FileManager.default.fileExists(atPath: path) else { return }
    let text = AlertText(alert.finding)
    try PendingFile.write("\(alert.finding.code) \(alert.finding.name): \(text.line)\n", to: path)
  }
}

/// `--openmetrics`: a text file for the collector of a monitoring system.
struct OpenMetricsFile: AlertReceiver {
  let path: String
  var name: String { "OpenMetrics file \(path)" }
  var isImmediate: Bool { true }

  func refresh(_ status: WatchStatus) throws { try PendingFile.write(Self.text(of: status), to: path) }

  /// In the text format of OpenMetrics 1.0.
  static func text(of status: WatchStatus) -> String {
    let run = "run=\"\(escaped(status.source))\""
    func gauge(_ name: String, _ help: String, _ value: String) -> String {
      "# TYPE spectroscope_\(name) gauge\n# HELP spectroscope_\(name) \(help)\nspectroscope_\(name){\(run)} \(value)\n"
    }
    var text = status.values.map { gauge($0.name, $0.help, "\($0.value)") }.joined()
    if let step = status.lastCheckpoint {
      text += gauge("last_checkpoint", "Step of the last checkpoint that was measured.", "\(step)")
    }
    text += gauge("failing_findings", "Findings that fail under the policy.", "\(status.failing)")
    text += "# TYPE spectroscope_outcome stateset\n# HELP spectroscope_outcome What the gate says.\n"
    for outcome in Verdict.Outcome.allCases {
      text +=
        "spectroscope_outcome{\(run),spectroscope_outcome=\"\(outcome.rawValue)\"} \(outcome == status.outcome ? 1 : 0)\n"
    }
    return text + "# EOF\n"
  }

  private static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
      .replacingOccurrences(of: "\n", with: "\\n")
  }
}
