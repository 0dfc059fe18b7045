import Diagnosis
import Foundation
import OrderedCollections
import Synchronization
import Weights

/// The alerts that a watcher has raised and where they were delivered: `alerts.jsonl` in its state folder, which this keeps for one process.
///
/// An alert is written before it is delivered, and each delivery behind it: after a kill what was not delivered still is, and what was is not
/// again. What was on its way to a receiver at the moment of the kill may reach it twice, with the same identity.
package final class AlertLog: Sendable {
  /// A finding that fails, told once.
  package struct Alert: Equatable, Sendable {
    /// The same for the same alert, so that a receiver can tell a repetition.
    package var id: String
    package var finding: Finding

    package init(id: String, finding: Finding) {
      (self.id, self.finding) = (id, finding)
    }
  }

  private struct State: ~Copyable {
    var file: AppendedFile
    var alerts: [Alert] = []
    /// How many there ever were.
    var count = 0
    /// The names of receivers, by alert.
    var delivered: [String: Set<String>] = [:]
  }

  private let path: String
  private let state: Mutex<State>

  /// - Throws: `.cannotCreate` where it cannot be written, or another process has it.
  package init(folder: String) throws(FileError) {
    path = folder + "/alerts.jsonl"
    let file = try AppendedFile(path: path)
    try file.lock(folder, a: "state")
    try file.cutTornLine()
    var state = State(file: file)
    let content = try PositionedFile(path: path)
    for line in try content.read(content.size, at: 0).split(separator: UInt8(ascii: "\n")) {
      guard let object = try? JSONValue(parsing: Array(line)) else { continue }
      if let id = object["delivered"]?.string, let receiver = object["to"]?.string {
        state.delivered[id, default: []].insert(receiver)
      } else if let from = object["forgotten_from"]?.int {
        state.alerts.removeAll { ($0.finding.step ?? 0) >= from }
      } else if let id = object["id"]?.string, let finding = object["finding"],
        let found = try? FindingsJSON.findings(in: "[" + finding.text() + "]", path: path).first
      {
        state.alerts.append(Alert(id: id, finding: found))
        state.count += 1
      }
    }
    self.state = Mutex(state)
  }

  /// Those that a receiver has not had, oldest first.
  package func pending(for receiver: String) -> [Alert] {
    state.withLock { state in state.alerts.filter { state.delivered[$0.id]?.contains(receiver) != true } }
  }

  /// Takes the findings whose rule has not alerted before, and returns them.
  @discardableResult package func raise(_ findings: [Finding]) throws(FileError) -> [Alert] {
    try state.withLock { (state) throws(FileError) in
      var raised: [Alert] = []
      for finding in findings where !state.alerts.contains(where: { $0.finding.code == finding.code }) {
        state.count += 1
        let alert = Alert(id: "\(state.count)-\(finding.code)-\(finding.step ?? 0)", finding: finding)
        try append(
          ["id": .string(alert.id), "finding": try FindingsJSON.value(of: finding, path: path)], to: state.file)
        state.alerts.append(alert)
        raised.append(alert)
      }
      return raised
    }
  }

  package func deliver(_ alert: Alert, to receiver: String) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      try append(["delivered": .string(alert.id), "to": .string(receiver)], to: state.file)
      state.delivered[alert.id, default: []].insert(receiver)
    }
  }

  /// Lets the rules of a step and later ones alert again: the trainer has written these steps anew.
  package func forget(from step: Int) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      try append(["forgotten_from": .integer(step)], to: state.file)
      state.alerts.removeAll { ($0.finding.step ?? 0) >= step }
    }
  }

  private func append(_ line: JSONValue, to file: borrowing AppendedFile) throws(FileError) {
    try file.append(line.text() + "\n")
    try file.synchronize()
  }
}
