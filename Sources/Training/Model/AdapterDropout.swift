import LinearAlgebra

/// Dropout on the inputs of adapted layers, in one forward pass and its backward pass (Hu et al. 2021; as in PEFT, each layer draws a mask
/// of its own).
///
/// One instance serves one decoder; its masks are drawn forward and kept for the way back.
final class AdapterDropout<S: TransformerScalar> {
  /// W_eff − W_frozen of every adapted layer, at its place among all parameters.
  let branch: UnsafePointer<S>
  /// Of each linear layer, in the layout's order.
  let isAdapted: [Bool]
  private let rate: Double
  private var generator: SeededGenerator
  private let masks: [Buffer<S>]

  init(_ plan: DropoutPlan<S>, lane: Int, pass: Int, masks: [Buffer<S>]) {
    branch = UnsafePointer(plan.branch.pointer)
    (isAdapted, rate, self.masks) = (plan.isAdapted, plan.rate, masks)
    generator = SeededGenerator(stream: .dropout, at: plan.place + [lane, pass])
  }

  /// Draws 0 with the rate as probability, else 1/(1 − rate), so that the mean is 1.
  func drawMask(of number: Int, count: Int) -> UnsafePointer<S> {
    let mask = masks[number].reserve(count)
    let kept = S(1 / (1 - rate))
    for i in 0..<count { mask[i] = generator.uniform() < rate ? 0 : kept }
    return UnsafePointer(mask)
  }

  /// The mask that was drawn.
  func mask(of number: Int) -> UnsafePointer<S> { UnsafePointer(masks[number].pointer) }
}

/// The dropout of one update.
package struct DropoutPlan<S: TransformerScalar>: Sendable {
  var rate: Double
  /// W_eff − W_frozen of every adapted layer, at its place among all parameters.
  var branch: Buffer<S>
  var isAdapted: [Bool]
  /// What the masks depend on, beside the place in the batch.
  var place: [Int]
}
