/// One measurement: what this program took, beside what it is held against.
struct Figure {
  enum Unit: String {
    case seconds = "s"
    case mebibytes = "MiB"
  }

  /// What one side did and what it took.
  struct Side {
    /// What was run.
    var work: String
    /// One value a repetition, already multiplied by `factor`.
    var values: [Double]
    /// What the side said of its own result, so that one sees that both did the same.
    var said: String
    /// How many times the part that was measured is in the whole; 1 where the whole was measured.
    var factor: Double = 1

    var spread: Spread { Spread(of: values) }
  }

  /// What both sides have in common.
  struct Conditions {
    /// Nil where it is no time.
    var clock: Clock?
    var threads: Int
    var size: String
    var depth: String
    var precision: String
  }

  var name: String
  var unit = Unit.seconds
  var conditions: Conditions
  var own: Side
  var peer: Side?
  var target: Target?

  /// How many times as long, or as much, as the peer this program takes.
  var ratio: Spread? {
    guard let peer else { return nil }
    // Repetitions in turn were under the same load; a single value stands for all.
    let others = peer.values.count == own.values.count ? peer.values : own.values.map { _ in peer.spread.median }
    return Spread(of: zip(own.values, others).map { $0 / $1 })
  }

  /// Whether the target is met in the median; nil where there is none.
  var isMet: Bool? {
    guard let target else { return nil }
    return switch target {
    case .atMost(let limit): own.spread.median <= limit
    case .timesPeer(let limit): ratio.map { $0.median <= limit }
    case .timesAsFast(let limit): ratio.map { 1 / $0.median >= limit }
    }
  }
}

/// What a figure is to reach.
enum Target: Equatable {
  /// At most so many of the figure's unit.
  case atMost(Double)
  /// At most so many times what the peer takes.
  case timesPeer(Double)
  /// At least so many times as fast as the peer.
  case timesAsFast(Double)
}
