import Diagnosis
import Foundation
import FoundationNetworking
import RunStore
import Weights

/// `--webhook`: an address that an alert is posted to as JSON.
///
/// Whoever knows the address can post there, so no text of this program has more of it than its host.
struct Webhook: AlertReceiver {
  /// What the body looks like.
  enum Shape: String, CaseIterable {
    /// `{"text": …}`, as Slack and Mattermost take it.
    case slack
    /// `{"content": …}`.
    case discord
    /// Title, text, level and step, as Trackio's alerts have them, and the finding's own columns.
    case json

    /// By the host.
    init(of url: URL) {
      let host = url.host ?? ""
      self =
        if host == "hooks.slack.com" {
          .slack
        } else if host == "discord.com" || host == "discordapp.com" || host.hasSuffix(".discord.com") {
          .discord
        } else {
          .json
        }
    }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  let url: URL
  let shape: Shape
  /// For connecting and for the answer, in seconds.
  private static let patience = 10.0

  init(_ url: URL, shape: Shape?) {
    self.url = url
    self.shape = shape ?? Shape(of: url)
  }

  var name: String { "webhook at \(url.host ?? "")" }

  func receive(_ alert: AlertLog.Alert, source: String) throws {
    var request = URLRequest(url: url, timeoutInterval: Self.patience)
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.httpBody = Data(Self.body(of: alert, source: source, shape).text().utf8)
    let answer = Answer()
    let session = URLSession(configuration: Self.configuration)
    defer { session.invalidateAndCancel() }
    session.dataTask(with: request) { _, response, error in answer.take(response, error) }.resume()
    try answer.wait(Self.patience + 2)
  }

  private static var configuration: URLSessionConfiguration {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForResource = patience
    return configuration
  }

  /// What is posted.
  static func body(of alert: AlertLog.Alert, source: String, _ shape: Shape) -> JSONValue {
    let (finding, text) = (alert.finding, AlertText(alert.finding))
    let title = "\(finding.code) \(finding.name)"
    let sentence = "\(title) in \(source): \(text.line)" + (text.remedy.map { "\n\($0)" } ?? "")
    switch shape {
    case .slack: return ["text": .string(sentence)]
    // Longer ones are refused.
    case .discord: return ["content": .string(String(sentence.prefix(2000)))]
    case .json:
      return [
        "id": .string(alert.id), "title": .string(title), "text": .string(sentence), "level": "error",
        "run": .string(source), "step": finding.step.map(JSONValue.integer) ?? .null, "code": .string(finding.code),
        "name": .string(finding.name), "severity": .string(finding.severity.rawValue),
        "module": finding.module.map(JSONValue.string) ?? .null, "message": .string(finding.message),
        "cause": finding.cause.map { .string($0.rawValue) } ?? .null,
        "remedy": finding.remedy.map(JSONValue.string) ?? .null,
      ]
    }
  }
}

/// What came back, for a thread that waits for it.
private final class Answer: @unchecked Sendable {
  private let arrival = DispatchSemaphore(value: 0)
  /// Written before the semaphore is raised, and read behind it.
  private var failure: Webhook.Failure?

  func take(_ response: URLResponse?, _ error: (any Error)?) {
    if let error {
      // The description of the error itself has the address in it.
      failure = Webhook.Failure(
        description: "no answer (\((error as? URLError)?.code.rawValue ?? (error as NSError).code))")
    } else if let code = (response as? HTTPURLResponse)?.statusCode, !(200..<300).contains(code) {
      failure = Webhook.Failure(description: "the answer was \(code)")
    }
    arrival.signal()
  }

  func wait(_ seconds: Double) throws {
    guard arrival.wait(timeout: .now() + seconds) == .success else {
      throw Webhook.Failure(description: "no answer within \(Int(seconds)) s")
    }
    if let failure { throw failure }
  }
}
