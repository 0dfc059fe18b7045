/// A prompt and what may follow it.
package struct TokenGroup: Equatable, Sendable {
  package var prompt: [Int32]
  /// Each ends with the end-of-sequence token, unless it was cut.
  package var completions: [[Int32]]

  package init(prompt: [Int32], completions: [[Int32]]) {
    self.prompt = prompt
    self.completions = completions
  }

  /// How many rows its computation takes: the prompt's once, and no row for the last token of a completion, which predicts nothing.
  var rows: Int { completions.reduce(prompt.count) { $0 + max(0, $1.count - 1) } }
}

/// Groups whose completions' tokens are numbered one after the other, so that flat arrays can hold a number for each.
package struct CompletionBatch: Sendable {
  package let groups: [TokenGroup]
  /// The number of the first token of each group's completions.
  package let firstTokens: [Int]
  package let tokenCount: Int

  /// Every prompt and every completion has at least one token.
  package init(_ groups: [TokenGroup]) {
    self.groups = groups
    var (first, count) = ([Int](), 0)
    for group in groups {
      precondition(!group.prompt.isEmpty && group.completions.allSatisfy { !$0.isEmpty }, "no tokens to predict")
      first.append(count)
      count += group.completions.reduce(0) { $0 + $1.count }
    }
    (firstTokens, tokenCount) = (first, count)
  }

  /// How many rows the computation of all groups takes.
  var rows: Int { groups.reduce(0) { $0 + $1.rows } }

  /// The groups cut into a given number of runs of about equal work, which depends on nothing but the groups: results are summed
  /// over the runs in order, whoever computes them.
  func lanes(_ count: Int) -> [Range<Int>] {
    let total = self.rows
    var bounds = [0]
    var rows = 0
    for (index, group) in groups.enumerated() {
      rows += group.rows
      while bounds.count < count, rows * count >= total * bounds.count { bounds.append(index + 1) }
    }
    while bounds.count <= count { bounds.append(groups.count) }
    bounds[count] = groups.count
    return zip(bounds, bounds.dropFirst()).map { $0..<max($0, $1) }
  }
}
