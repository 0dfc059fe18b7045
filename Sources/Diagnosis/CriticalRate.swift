import Foundation

/// The learning rate at which training turns from a gain into a loss, as far as runs at some rates tell.
package enum CriticalRate: Equatable, Sendable {
  case at(Double)
  /// Beyond the largest rate.
  case above(Double)
  /// Before the smallest rate.
  case below(Double)

  /// How one run ended.
  package struct Run: Equatable, Sendable {
    package var learningRate: Double
    package var startAccuracy: Double
    package var finalAccuracy: Double

    package init(learningRate: Double, startAccuracy: Double, finalAccuracy: Double) {
      self.learningRate = learningRate
      self.startAccuracy = startAccuracy
      self.finalAccuracy = finalAccuracy
    }

    fileprivate var gain: Double { finalAccuracy - startAccuracy }
  }

  /// Where the final accuracy falls through that of the start: the first such place from the left, behind the rate with the largest gain.
  /// What lies left of that one has not learned yet. Between two neighbouring rates the gain is taken to be linear in the rate's logarithm.
  ///
  /// - Parameter runs: of one method and one seed, each at another rate, in any order.
  /// - Returns: nil where nothing can be said: there is no run, or none gained anything though that of the smallest rate kept more than half
  ///   of its accuracy, so that it may as well have moved too little as too much.
  package init?(_ runs: [Run]) {
    let runs = runs.sorted { $0.learningRate < $1.learningRate }
    guard let gain = runs.map(\.gain).max(), let best = runs.firstIndex(where: { $0.gain == gain }) else { return nil }
    if gain < 0 {
      guard runs[0].finalAccuracy < runs[0].startAccuracy / 2 else { return nil }
      self = .below(runs[0].learningRate)
      return
    }
    guard let after = runs[best...].firstIndex(where: { $0.gain < 0 }) else {
      self = .above(runs.last!.learningRate)
      return
    }
    let (last, first) = (runs[after - 1], runs[after])
    let share = last.gain / (last.gain - first.gain)
    self = .at(last.learningRate * pow(first.learningRate / last.learningRate, share))
  }
}

// MARK: - Spread

extension CriticalRate {
  /// The median over seeds, and the lowest and highest of them.
  package struct Spread: Equatable, Sendable {
    /// Nil where the middle two lie on different sides of the grid.
    package var median: CriticalRate?
    package var lowest: CriticalRate
    package var highest: CriticalRate

    /// - Returns: nil of no rates.
    package init?(_ rates: [CriticalRate]) {
      let sorted = rates.sorted { $0.order < $1.order }
      guard let lowest = sorted.first, let highest = sorted.last else { return nil }
      (self.lowest, self.highest) = (lowest, highest)
      let middle = sorted.count / 2
      median = sorted.count % 2 == 1 ? sorted[middle] : Self.middle(sorted[middle - 1], sorted[middle])
    }

    /// The geometric mean of two rates. What is known of the middle of a rate and one that is only bounded is a bound.
    private static func middle(_ a: CriticalRate, _ b: CriticalRate) -> CriticalRate? {
      switch (a, b) {
      case (.at(let a), .at(let b)): .at((a * b).squareRoot())
      case (.at(let a), .above), (.above(let a), .above): .above(a)
      case (.below, .at(let b)), (.below, .below(let b)): .below(b)
      default: nil
      }
    }
  }

  /// The number that is known of it.
  package var rate: Double {
    switch self {
    case .at(let rate), .above(let rate), .below(let rate): rate
    }
  }

  /// What is known of it: `at`, `above` or `below` its number.
  package var relation: String {
    switch self {
    case .at: "at"
    case .above: "above"
    case .below: "below"
    }
  }

  private var order: (Int, Double) {
    switch self {
    case .below(let rate): (0, rate)
    case .at(let rate): (1, rate)
    case .above(let rate): (2, rate)
    }
  }
}
