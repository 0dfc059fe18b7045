/// The built-in tasks by name.
package enum TaskRegistry {
  /// All tasks; the first is the default. A task of graded difficulty is there once a level.
  package static let all: [any VerifiableTask] =
    [TwoStepArithmetic(), StringOperations()] + Counting.levels + ModularSums.levels + SumSequences.levels

  /// The task of that name, or nil. The first level has the name of its family, and `:1` behind it says the same.
  package static func task(named name: String) -> (any VerifiableTask)? {
    let first = name.hasSuffix(":1") ? String(name.dropLast(2)) : name
    return all.first { $0.name == first && (first == name || all.contains { $0.name == first + ":2" }) }
  }

  /// Whether a name is the path of a file of questions: it has a slash, or ends in `.jsonl`.
  package static func isFile(_ name: String) -> Bool { name.contains("/") || name.hasSuffix(".jsonl") }

  /// The name of a level of a family, counted from 1.
  static func name(_ family: String, level: Int) -> String { level == 1 ? family : "\(family):\(level)" }
}
