import ArgumentParser
import Foundation

extension Webhook.Shape: ExpressibleByArgument {}

/// Whom a watcher tells.
struct ReceiverArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A file that appears with the first alert, for a trainer that looks for it.", valueName: "file"))
  var stopFile: String?

  @Option(
    help: ArgumentHelp("A file that is kept up to date in the text format of OpenMetrics.", valueName: "file"))
  var openmetrics: String?

  @Option(
    help: ArgumentHelp(
      "A command that a shell runs for each alert, with SPECTROSCOPE_CODE, _STEP, _MESSAGE, _REMEDY and _RUN in its environment; it has a minute.",
      valueName: "command"))
  var onAlert: String?

  @Option(
    help: ArgumentHelp(
      "An address that each alert is posted to as JSON; also by SPECTROSCOPE_WEBHOOK in the environment, which no list of processes shows.",
      valueName: "url"))
  var webhook: String?

  @Option(help: "What is posted (default: by the address, slack, discord, or json for any other).")
  var webhookFormat: Webhook.Shape?

  func validate() throws {
    if let text = webhookText, Self.url(text) == nil {
      throw ValidationError("--webhook must be an address that begins with https:// or http://")
    }
    for (name, value) in [("--stop-file", stopFile), ("--openmetrics", openmetrics), ("--on-alert", onAlert)]
    where value?.isEmpty == true { throw ValidationError("\(name) must not be empty") }
  }

  private var webhookText: String? { webhook ?? ProcessInfo.processInfo.environment["SPECTROSCOPE_WEBHOOK"] }

  private static func url(_ text: String) -> URL? {
    guard let url = URL(string: text), ["http", "https"].contains(url.scheme), url.host?.isEmpty == false else {
      return nil
    }
    return url
  }

  var receivers: [any AlertReceiver] {
    let all: [(any AlertReceiver)?] = [
      webhookText.flatMap(Self.url).map { Webhook($0, shape: webhookFormat) }, stopFile.map(StopFile.init),
      openmetrics.map(OpenMetricsFile.init), onAlert.map(AlertCommand.init),
    ]
    return all.compactMap(\.self)
  }
}
