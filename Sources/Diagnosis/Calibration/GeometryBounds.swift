/// Shapes of healthy training from a random start; laboratory runs, to be replaced by a larger corpus.
enum GeometryBounds {
  /// Share ÷ chance of energy in both leading subspaces.
  static let principalEnrichment = 40.0
  static let principalErrors = "TBD"
  static let intruderErrors = "TBD"
}
