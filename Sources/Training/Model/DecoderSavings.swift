/// What the decoder saves: work that something cheaper replaces, with the same result up to rounding. The one owner of the defaults.
///
/// Each can be left out, to see what it is worth and that it changes nothing. What is saved by the choice of a batch is the caller's: a
/// prompt once for all its completions, and no completion without a weight.
package struct DecoderSavings: Equatable, Sendable {
  /// One product for q, k and v, and one for gate and up, in place of one each.
  package var fusesProjections: Bool
  /// Samples from W_eff, where it would otherwise add s·B·A·x to W_frozen·x; methods without factors have W_eff alone.
  package var mergesWeights: Bool
  /// Lays the weights out once for all products while it samples, where a BLAS would at each.
  package var packsWeights: Bool
  /// Computes no gradient below the first layer that is trained.
  package var stopsAtFirstTrained: Bool
  /// Uses the kernels made for the processor's vectors rather than plain loops. Matrix products are not among them.
  package var usesVectorKernels: Bool

  package init(
    fusesProjections: Bool = true, mergesWeights: Bool = true, packsWeights: Bool = true,
    stopsAtFirstTrained: Bool = true, usesVectorKernels: Bool = true
  ) {
    self.fusesProjections = fusesProjections
    self.mergesWeights = mergesWeights
    self.packsWeights = packsWeights
    self.stopsAtFirstTrained = stopsAtFirstTrained
    self.usesVectorKernels = usesVectorKernels
  }
}
