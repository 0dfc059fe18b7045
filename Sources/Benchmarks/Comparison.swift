/// One repetition: what it took, and what it said of its result.
struct Sample {
  var value: Double
  var said: String
}

extension Clock {
  /// One repetition of a work that says what its result is.
  func sample(_ work: () throws -> String) rethrows -> Sample {
    let (seconds, said) = try time(work)
    return Sample(value: seconds, said: said)
  }
}

/// How both sides of a figure are run: in turn, so that what else the machine does meets both.
struct Comparison {
  var repetitions: Int

  /// Runs both sides once without counting, then in turn.
  func run(
    _ own: () throws -> Sample, beside peer: () throws -> Sample
  ) throws -> (own: [Sample], peer: [Sample]) {
    _ = (try own(), try peer())
    var (owns, peers): ([Sample], [Sample]) = ([], [])
    for _ in 0..<repetitions {
      owns.append(try own())
      peers.append(try peer())
    }
    return (owns, peers)
  }

  /// Runs a side that has no peer, once without counting.
  func run(_ own: () throws -> Sample) throws -> [Sample] {
    _ = try own()
    return try (0..<repetitions).map { _ in try own() }
  }
}

extension Figure.Side {
  /// - Parameter factor: how many times what was measured is in the whole.
  init(_ work: String, _ samples: [Sample], factor: Double = 1) {
    self.init(
      work: work, values: samples.map { $0.value * factor }, said: samples.last?.said ?? "", factor: factor)
  }
}
