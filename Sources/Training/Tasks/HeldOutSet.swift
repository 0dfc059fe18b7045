import LinearAlgebra
import OrderedCollections

/// Different problems of a task that training never sees, so that accuracy on them is no memory.
package struct HeldOutSet: Sendable {
  /// In the order in which they were drawn.
  package let problems: [Problem]
  private let prompts: Set<String>

  /// How many problems there are unless more are asked for: the standard error of an accuracy is then at most 0.032.
  package static let defaultCount = 256

  /// Draws `count` different problems, at most half of those that there are. The same seed gives the same set; it is its
  /// own, so that runs of every seed are measured on the same problems.
  package init(of task: some VerifiableTask, count: Int = defaultCount, seed: UInt64 = 999) {
    precondition(2 * count <= task.problemCount, "At most half of a task's problems can be held out.")
    var generator = SeededGenerator(seed: seed)
    var drawn = OrderedDictionary<String, Problem>(minimumCapacity: count)
    while drawn.count < count {
      let problem = task.problem(&generator)
      drawn[problem.prompt] = problem
    }
    problems = drawn.values.elements
    prompts = Set(drawn.keys)
  }

  /// Given problems, which the task itself keeps from training.
  package init(_ problems: some Sequence<Problem>) {
    self.problems = Array(problems)
    prompts = Set(self.problems.map(\.prompt))
  }

  /// Whether the problem is one of them.
  package func contains(_ problem: Problem) -> Bool { prompts.contains(problem.prompt) }
}
