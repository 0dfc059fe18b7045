/// What healthy runs log; laboratory runs, to be replaced by a larger corpus.
enum BehaviourBounds {
  /// Median increment of KL over five steps, nats a token.
  static let klVelocity = 0.2
  static let klVelocityErrors = "TBD"
  static let klVelocityMisses = "TBD"
  static let klLevel = 1.0
  static let klLevelErrors = "TBD"
  static let entropyRise = 0.15
  static let entropyErrors = "TBD"
  static let collapseErrors = "TBD"
  static let fallErrors = "TBD"
  static let confirmedErrors = "TBD"
  static let lengthErrors = "TBD"
  static let leastPValue = 0.01
}
