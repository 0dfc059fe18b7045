/// Keeps many looks at a growing series from inflating false alarms.
package enum Sequential {
  /// The p-value of the i-th look, counted from 1, times i·(i + 1).
  ///
  /// As Σ 1/(i(i + 1)) = 1, the chance that any of the looks, however many there will be, falls below α is at most α, whatever the
  /// dependence between them (the union bound with spending α/(i(i + 1))). Later looks need stronger evidence.
  package static func adjusted(_ p: Double, look: Int) -> Double {
    precondition(look >= 1, "looks are counted from 1")
    return min(1, p * Double(look) * Double(look + 1))
  }

  /// What a rule may spend in all: the chance that it ever speaks of a healthy run.
  package static let level = 0.01
}
