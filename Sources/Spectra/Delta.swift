/// Which difference of effective weights a row describes. A shape or an angle means nothing until this is said.
package enum Delta: String, CaseIterable, Sendable, Codable, Comparable {
  /// W_eff(t) − W_eff(0): what training has done.
  case initial = "init"
  /// The part of `init` that DoRA's magnitudes did: diag(g_t − g_0)·W₀ with g = m ⊘ c.
  case initialMagnitude = "init.magnitude"
  /// `init` less `init.magnitude`.
  case initialDirection = "init.direction"
  /// W_eff(t) − W₀ in exact arithmetic: what separates the model from the pretrained one.
  case pretrained
  /// W_eff(t) − W_eff(the previous analysed checkpoint): what the last stretch of training has done.
  case previous

  package static func < (a: Delta, b: Delta) -> Bool {
    allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
  }
}
