import Foundation

/// The run's own first values as a baseline, and how surprising a later value is against them.
///
/// Values are taken to be lognormal. A few values tell their spread badly, so it is shrunk towards that of healthy training,
/// `priorDeviation`, which counts as `priorDegrees` values (the conjugate prior of a variance: Gelman et al., Bayesian Data Analysis,
/// section 3.3); a new value then follows a t distribution around the baseline.
package struct OwnPast: Equatable, Sendable {
  /// exp of the mean logarithm.
  package let center: Double
  /// The standard deviation of the logarithm of a new value.
  package let deviation: Double
  package let degrees: Double

  /// - Parameter values: positive; at least two.
  /// - Returns: nil for fewer, or where one is not positive.
  package init?(_ values: [Double], priorDeviation: Double, priorDegrees: Double = 4) {
    guard values.count >= 2, values.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
    let logs = values.map { log($0) }
    let center = mean(logs)
    let squares = logs.reduce(0) { $0 + ($1 - center) * ($1 - center) }
    degrees = priorDegrees + Double(logs.count - 1)
    let variance = (priorDegrees * priorDeviation * priorDeviation + squares) / degrees
    self.center = exp(center)
    deviation = (variance * (1 + 1 / Double(logs.count))).squareRoot()
  }

  /// The chance of a value at least as large.
  package func upperTail(_ value: Double) -> Double {
    StudentT.upperTail((log(value) - log(center)) / deviation, degrees: degrees)
  }
}
