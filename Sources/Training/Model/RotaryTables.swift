import LinearAlgebra
import RealModule

/// The cosines and sines of rotary positions (Su et al. 2021), for as many positions as were asked for.
///
/// Position p turns the pair (i, i + size/2) of each head by p·theta^(−2i/size).
struct RotaryTables<S: TransformerScalar> {
  /// positions × size/2.
  private(set) var cosines: [S] = []
  private(set) var sines: [S] = []
  private let frequencies: [Double]

  init(size: Int, theta: Double) {
    let half = size / 2
    frequencies = (0..<half).map { Double.pow(theta, -Double($0) / Double(half)) }
  }

  /// Makes the tables long enough for positions below `count`.
  mutating func reserve(_ count: Int) {
    let known = cosines.count / max(1, frequencies.count)
    guard count > known else { return }
    for position in known..<max(count, 2 * known) {
      for frequency in frequencies {
        let angle = Double(position) * frequency
        cosines.append(S(Double.cos(angle)))
        sines.append(S(Double.sin(angle)))
      }
    }
  }
}
