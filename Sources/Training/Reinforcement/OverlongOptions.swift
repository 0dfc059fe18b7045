/// What becomes of completions that are too long (DAPO, arXiv 2503.14476, section 3.4). The one owner of the defaults.
package struct OverlongOptions: Equatable, Sendable {
  package enum Handling: String, CaseIterable, Sendable {
    /// Nothing: a completion that was cut counts like any other.
    case none
    /// One that was cut has no part in the loss. Its reward still counts in its group's mean and deviation, as with TRL's
    /// `mask_truncated_completions`.
    case filter
    /// A penalty is added to the reward from which advantages are made; see `penalty(length:maximum:)`. The recorded reward is without it.
    case soft
  }

  package var handling: Handling
  /// L_c, over how many tokens below the maximum the soft penalty rises to 1; nil for a quarter of the maximum, at least 1.
  ///
  /// DAPO has 4096 of 20480 tokens. Responses here are a few tokens long, and differ from task to task, so that no one number fits.
  package var cache: Int?

  package init(handling: Handling = .none, cache: Int? = nil) {
    self.handling = handling
    self.cache = cache
  }

  /// The soft penalty: 0 up to a length of L_max − L_c, ((L_max − L_c) − length)/L_c up to L_max, −1 beyond.
  ///
  /// - Parameter maximum: L_max, the most tokens that a completion can have; an L_c beyond it counts as L_max.
  package func penalty(length: Int, maximum: Int) -> Double {
    let cache = min(cache ?? max(1, maximum / 4), maximum)
    return -min(1, max(0, Double(length - (maximum - cache)) / Double(cache)))
  }
}
