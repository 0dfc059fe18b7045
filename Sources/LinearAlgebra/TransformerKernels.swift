package import CKernels

/// A scalar type that has the kernels of a transformer.
package protocol TransformerScalar: Scalar {
  /// Those made for the processor's vectors.
  static var kernels: TransformerKernels<Self> { get }
  /// Plain loops, which give the same up to rounding.
  static var plainKernels: TransformerKernels<Self> { get }
}

/// The C kernels of `transformer.h` and `packed.h` for one scalar type; those headers describe each.
package struct TransformerKernels<S: Sendable>: Sendable {
  package typealias In = UnsafePointer<S>
  package typealias Out = UnsafeMutablePointer<S>
  package typealias Segments = UnsafePointer<attention_segment>

  package let rmsNorm: @Sendable (In, In, S, Int, Int, Out, Out) -> Void
  package let rmsNormGradient: @Sendable (In, In, In, In, Int, Int, Out, Out?) -> Void
  package let swiglu: @Sendable (In, Int, Int, Out) -> Void
  package let swigluGradient: @Sendable (In, In, Int, Int, Out) -> Void
  package let rotate: @Sendable (Out, Int, Int, Int, Int, UnsafePointer<Int32>, In, In, S) -> Void
  package let addBias: @Sendable (Out, In, Int, Int) -> Void
  package let columnSums: @Sendable (In, Int, Int, Out) -> Void
  package let attention:
    @Sendable (In, Int, In, In, Int, Out, Int, Int, Int, Int, S, Segments, Int, Out, Int, Int) -> Void
  package let attentionGradient:
    @Sendable (In, Int, In, In, Int, In, Int, Int, Int, Int, S, Segments, Int, In, Int, Int, Out, Out, Out, Out) -> Void
  package let logSumExp: @Sendable (In, Int, Int, Out, Out?) -> Void
  package let weightedSoftmax: @Sendable (Out, Int, Int, In, In) -> Void
  package let draw: @Sendable (In, Int, Int, In, UnsafePointer<Double>, UnsafeMutablePointer<Int32>, Out) -> Void
  package let drawLargest: @Sendable (In, Int, Int, In, UnsafeMutablePointer<Int32>, Out) -> Void
  package let adamw: @Sendable (Out, In, Out, Out, Int, S, S, S, S, S, S) -> Void
  package let accumulate: @Sendable (In, Int, Out) -> Void
  package let rowNorms: @Sendable (In, Int, Int, Out) -> Void
  package let scaleRows: @Sendable (In, In, Int, Int, Out) -> Void
  package let rowDots: @Sendable (In, In, Int, Int, Out) -> Void
  package let panelRows: @Sendable () -> Int
  package let packPanels: @Sendable (In, Int, Int, Out) -> Void
  package let packedProduct: @Sendable (In, Int, Int, In, Int, Int, S, Int32, Out, Int) -> Void
}

extension Float: TransformerScalar {
  package static let kernels = TransformerKernels<Float>(
    rmsNorm: rms_norm_f32, rmsNormGradient: rms_norm_gradient_f32, swiglu: swiglu_f32,
    swigluGradient: swiglu_gradient_f32, rotate: rotate_f32, addBias: add_bias_f32, columnSums: column_sums_f32,
    attention: attention_f32, attentionGradient: attention_gradient_f32, logSumExp: log_sum_exp_f32,
    weightedSoftmax: weighted_softmax_f32, draw: draw_f32, drawLargest: draw_largest_f32, adamw: adamw_f32,
    accumulate: accumulate_f32, rowNorms: row_norms_f32, scaleRows: scale_rows_f32, rowDots: row_dots_f32,
    panelRows: panel_rows_f32, packPanels: pack_panels_f32, packedProduct: packed_product_f32)

  package static let plainKernels = TransformerKernels<Float>(
    rmsNorm: rms_norm_plain_f32, rmsNormGradient: rms_norm_gradient_plain_f32, swiglu: swiglu_plain_f32,
    swigluGradient: swiglu_gradient_plain_f32, rotate: rotate_plain_f32, addBias: add_bias_plain_f32,
    columnSums: column_sums_plain_f32,
    attention: attention_plain_f32, attentionGradient: attention_gradient_plain_f32, logSumExp: log_sum_exp_plain_f32,
    weightedSoftmax: weighted_softmax_plain_f32, draw: draw_plain_f32, drawLargest: draw_largest_plain_f32,
    adamw: adamw_plain_f32,
    accumulate: accumulate_plain_f32, rowNorms: row_norms_plain_f32, scaleRows: scale_rows_plain_f32,
    rowDots: row_dots_plain_f32, panelRows: panel_rows_f32, packPanels: pack_panels_f32,
    packedProduct: packed_product_f32)
}

extension Double: TransformerScalar {
  package static let kernels = TransformerKernels<Double>(
    rmsNorm: rms_norm_f64, rmsNormGradient: rms_norm_gradient_f64, swiglu: swiglu_f64,
    swigluGradient: swiglu_gradient_f64, rotate: rotate_f64, addBias: add_bias_f64, columnSums: column_sums_f64,
    attention: attention_f64, attentionGradient: attention_gradient_f64, logSumExp: log_sum_exp_f64,
    weightedSoftmax: weighted_softmax_f64, draw: draw_f64, drawLargest: draw_largest_f64, adamw: adamw_f64,
    accumulate: accumulate_f64, rowNorms: row_norms_f64, scaleRows: scale_rows_f64, rowDots: row_dots_f64,
    panelRows: panel_rows_f64, packPanels: pack_panels_f64, packedProduct: packed_product_f64)

  package static let plainKernels = TransformerKernels<Double>(
    rmsNorm: rms_norm_plain_f64, rmsNormGradient: rms_norm_gradient_plain_f64, swiglu: swiglu_plain_f64,
    swigluGradient: swiglu_gradient_plain_f64, rotate: rotate_plain_f64, addBias: add_bias_plain_f64,
    columnSums: column_sums_plain_f64,
    attention: attention_plain_f64, attentionGradient: attention_gradient_plain_f64, logSumExp: log_sum_exp_plain_f64,
    weightedSoftmax: weighted_softmax_plain_f64, draw: draw_plain_f64, drawLargest: draw_largest_plain_f64,
    adamw: adamw_plain_f64,
    accumulate: accumulate_plain_f64, rowNorms: row_norms_plain_f64, scaleRows: scale_rows_plain_f64,
    rowDots: row_dots_plain_f64, panelRows: panel_rows_f64, packPanels: pack_panels_f64,
    packedProduct: packed_product_f64)
}
