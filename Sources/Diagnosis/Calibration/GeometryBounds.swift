/// Shapes of healthy training; laboratory runs, to be replaced by a larger corpus.
enum GeometryBounds {
  /// Share ÷ chance of energy in both leading subspaces: all but one of 373 healthy runs that do not begin there stay below.
  static let principalEnrichment = 5.0
  static let principalErrors = "1 of 373 healthy runs of methods that do not begin there"
  /// Effective rank ÷ own largest: none of 369 healthy runs falls so far.
  static let rankFall = 0.4
  static let rankFallRuns = 369
  static let intruderErrors = "0 of 368 healthy runs of methods that do not scale the weight itself"
}
