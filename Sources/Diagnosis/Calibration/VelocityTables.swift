// TBD generated
extension VelocityBounds {
  static let update = VelocityBounds(
    bySpacing: [1: []], healthyRatios: [],
    errors: HeldOutErrors(falseAlarms: 0, healthyRuns: 0, misses: 0, collapsedRuns: 0))
  static let shift = VelocityBounds(
    bySpacing: [1: []], healthyRatios: [],
    errors: HeldOutErrors(falseAlarms: 0, healthyRuns: 0, misses: 0, collapsedRuns: 0))
}
