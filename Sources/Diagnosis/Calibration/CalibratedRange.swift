/// The runs that bounds were taken from, and whether another run is of their kind.
enum CalibratedRange {
  /// The smaller side of the largest weight, of the corpus' models. Bounds are taken from 32 to 96; at 128 they are tested, on the large base.
  static let orders = 32...128
  /// Steps from one checkpoint to the next: velocity is calibrated at 1, 5, 10 and 20, and the bound for 20 is not too low for a few more.
  static let spacings = 1...30
  /// Of the slow runs of the corpus.
  static let mostSteps = 300
  static let ranks = 1...16

  /// What takes `run` out of the range; nil inside.
  static func gap(of run: RunEvidence) -> Gap? {
    if let order = run.largestOrder, !orders.contains(order) {
      return Gap(
        .calibration,
        "bounds of velocity are calibrated on models of width \(orders.lowerBound) to \(orders.upperBound), and this one has "
          + "\(order)")
    }
    if run.isSupervised {
      return Gap(
        .calibration, "bounds of velocity are calibrated on reinforcement learning, and this run is supervised")
    }
    if !run.isReinforced {
      return Gap(
        .calibration,
        "bounds of velocity are calibrated on reinforcement learning, and neither reward nor loss tells whether this run is that"
      )
    }
    if let rank = run.setup.rank, !ranks.contains(rank), run.method != "vera" {
      return Gap(
        .calibration,
        "bounds of velocity are calibrated on ranks of \(ranks.lowerBound) to \(ranks.upperBound), and this one is \(rank)"
      )
    }
    return nil
  }

  /// Set where checkpoints are too far apart for any bound.
  static func gap(ofStretch steps: Int) -> Gap? {
    guard !spacings.contains(steps) else { return nil }
    return Gap(
      .calibration,
      "bounds of velocity hold for checkpoints at most \(spacings.upperBound) steps apart, and some are \(steps)")
  }

  /// Set where no run was so long: a step within the bound says nothing of runs that are slower and longer.
  static func gap(ofStep step: Int) -> Gap? {
    guard step > mostSteps else { return nil }
    return Gap(
      .calibration,
      "bounds of velocity are calibrated on runs of up to \(mostSteps) steps, and this one has had \(step)")
  }

  static func methodGap(of run: RunEvidence) -> Gap {
    let method = run.method.isEmpty ? "an unknown method" : run.method
    return Gap(
      .calibration, "bounds of velocity are not calibrated for \(method)")
  }
}
