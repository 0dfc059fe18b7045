/// What healthy runs log; laboratory runs, to be replaced by a larger corpus.
enum BehaviourBounds {
  /// Median increment of KL over five steps, nats a token.
  static let klVelocity = 0.2
  static let klVelocityErrors = "5 of 398 healthy runs"
  static let klVelocityMisses = "4 of 256 collapsed ones"
  static let klLevel = 1.0
  static let klLevelErrors = "2 of 398 healthy runs"
  static let entropyRise = 0.15
  static let entropyErrors = "0 of 398 healthy runs"
  static let entropyMisses = "115 of 256 collapsed ones"
  static let collapseErrors = "1 of 398 healthy runs"
  static let collapseMisses = "6 of 256 collapsed ones"
  static let fallErrors = "0 of 398 healthy runs"
  static let confirmedErrors = "0 of 398 healthy runs"
  static let lengthErrors = "0 of 398 healthy runs"
}
