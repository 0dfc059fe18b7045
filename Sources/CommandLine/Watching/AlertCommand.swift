import Diagnosis
import Foundation
import RunStore

/// `--on-alert`: a command of the user's.
struct AlertCommand: AlertReceiver {
  let command: String
  var name: String { "command" }

  /// How long it may take, in seconds.
  private static let patience = 60.0

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  func receive(_ alert: AlertLog.Alert, source: String) throws {
    let (finding, text) = (alert.finding, AlertText(alert.finding))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.environment = ProcessInfo.processInfo.environment.merging([
      "SPECTROSCOPE_ID": alert.id, "SPECTROSCOPE_CODE": finding.code, "SPECTROSCOPE_NAME": finding.name,
      "SPECTROSCOPE_STEP": finding.step.map(String.init) ?? "", "SPECTROSCOPE_MESSAGE": text.line,
      "SPECTROSCOPE_REMEDY": text.remedy ?? "", "SPECTROSCOPE_RUN": source,
    ]) { $1 }
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let end = Date().addingTimeInterval(Self.patience)
    while process.isRunning, Date() < end { usleep(20_000) }
    if process.isRunning {
      process.terminate()
      throw Failure(description: "it did not end within \(Int(Self.patience)) s")
    }
    guard process.terminationStatus == 0 else {
      throw Failure(description: "it ended with code \(process.terminationStatus)")
    }
  }
}
