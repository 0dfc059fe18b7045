import Diagnosis
import Foundation
import RunStore
import Weights

/// `gated-v….csv`: every run that was trained again under a gate, one a line for each gate.
package struct GatedTable: Equatable, Sendable {
  package var runs: [GatedRun]

  package init(_ runs: [GatedRun]) { self.runs = runs }

  private static let header = ["gate", "run", "label", "final_accuracy", "interventions"]

  package var csv: String {
    let lines = runs.map { run in
      [
        run.rollback.rawValue, run.run, run.label.rawValue, String(format: "%.4g", run.accuracy),
        "\(run.interventions)",
      ]
    }
    return ([Self.header] + lines).map { $0.joined(separator: ",") + "\n" }.joined()
  }

  /// - Throws: `.cannotOpen`, or `.badContent` for what is no such table.
  package init(reading path: String) throws(FileError) {
    let file = try PositionedFile(path: path)
    try self.init(csv: file.read(file.size, at: 0)[...], path: path)
  }

  /// - Parameter path: what the text is called in errors.
  /// - Throws: `.badContent` for what is no such table.
  package init(csv bytes: ArraySlice<UInt8>, path: String) throws(FileError) {
    let table = try CommaSeparatedText.rows(of: bytes, path: path)
    guard table.first?.fields == Self.header else {
      throw FileError(.badContent, path: path, "expected the columns \(Self.header), found others")
    }
    runs = try table.dropFirst().map { line throws(FileError) in
      let fields = line.fields
      guard fields.count == Self.header.count, let rollback = Rollback(rawValue: fields[0]),
        let label = RunLabel(rawValue: fields[2]), let accuracy = Double(fields[3]), let count = Int(fields[4])
      else {
        throw FileError(.badContent, path: path, object: "line \(line.line)", "expected a run, found something else")
      }
      return GatedRun(rollback, run: fields[1], label: label, accuracy: accuracy, interventions: count)
    }
  }
}
