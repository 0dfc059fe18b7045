import OrderedCollections
import Weights

/// What one step of training measured: one line of `training.jsonl`.
///
/// The record of step N has the reward, entropy and KL of completions drawn from the weights after N − 1 steps, the loss and gradient
/// of the update that they led to, the velocity of that update, and, where measured, accuracy and retention of the weights after it.
package struct TrainingRecord: Equatable, Sendable {
  package var step: Int
  /// By the names of `training.csv`; a number that is undefined is absent.
  package var columns: OrderedDictionary<String, Double> = [:]
  /// Numbers of each module, by column and path.
  package var moduleColumns: OrderedDictionary<String, OrderedDictionary<String, Double>> = [:]

  package init(step: Int) { self.step = step }

  /// Storing a number that is not finite, or nil, leaves the column out.
  package subscript(column: String) -> Double? {
    get { columns[column] }
    set { columns[column] = newValue.flatMap { $0.isFinite ? $0 : nil } }
  }

  /// One JSON object, `step` first.
  package var json: JSONValue {
    var object: OrderedDictionary<String, JSONValue> = ["step": .integer(step)]
    for (name, value) in columns { object[name] = .number(value) }
    for (name, values) in moduleColumns {
      object[name] = .object(values.mapValues { $0.isFinite ? JSONValue.number($0) : JSONValue.null })
    }
    return .object(object)
  }
}
