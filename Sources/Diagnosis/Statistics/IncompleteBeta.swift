import Foundation

/// The incomplete beta function.
package enum IncompleteBeta {
  /// The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22).
  package static func regularized(_ x: Double, _ a: Double, _ b: Double) -> Double {
    if x <= 0 { return 0 }
    if x >= 1 { return 1 }
    // The fraction converges fast on one side of the mean; the other side follows by symmetry.
    if x > (a + 1) / (a + b + 2) { return 1 - regularized(1 - x, b, a) }
    let logFront = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)
    return exp(logFront) / a / betaFraction(x, a, b)
  }

  /// The continued fraction 1 + d₁/(1 + d₂/(1 + …)), by Lentz's method with Thompson and Barnett's guard against zeros.
  private static func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let tiny = 1e-300
    var (c, d, fraction) = (1.0, 0.0, 1.0)
    for term in 1...500 {
      let m = Double(term / 2)
      let coefficient =
        term.isMultiple(of: 2)
        ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      d = 1 + coefficient * d
      if abs(d) < tiny { d = tiny }
      c = 1 + coefficient / c
      if abs(c) < tiny { c = tiny }
      d = 1 / d
      fraction *= c * d
      if abs(c * d - 1) < 1e-16 { break }
    }
    return fraction
  }
}
