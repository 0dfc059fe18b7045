import Adapters
import LinearAlgebra

/// Linear layers that share their input and lie one behind the other among the parameters, such as q, k and v.
struct LinearGroup: Equatable, Sendable {
  struct Part: Equatable, Sendable {
    /// In the layout's order of linear layers.
    let number: Int
    let rows: Int
  }

  let offset: Int
  /// The size of the input.
  let columns: Int
  let parts: [Part]
  /// The size of all outputs together, which lie side by side.
  let width: Int

  /// - Parameter first: the number of the first layer.
  init(at offset: Int, first: Int, rows: [Int], columns: Int) {
    self.offset = offset
    self.columns = columns
    parts = rows.enumerated().map { Part(number: first + $0, rows: $1) }
    width = rows.reduce(0, +)
  }

  /// The runs of rows that are multiplied at once: all of them, or those of each part.
  func blocks(fused: Bool) -> [(first: Int, rows: Int)] {
    if fused { return [(0, width)] }
    var first = 0
    return parts.map { part in
      defer { first += part.rows }
      return (first, part.rows)
    }
  }
}

/// What a backward pass reads and writes beside activations.
struct GradientTarget<S: TransformerScalar> {
  let plan: GradientPlan
  let weights: UnsafePointer<S>
  /// The adapter's parameters, where the plan has factored layers.
  let factors: UnsafePointer<S>?
  let sink: GradientSink<S>

  /// Where the gradient of the parameters at `offset` is summed.
  func gradient(at offset: Int) -> UnsafeMutablePointer<S> { sink.dense.pointer + offset }

  /// The same for a norm or a bias, where those are wanted.
  func vector(at offset: Int?) -> UnsafeMutablePointer<S>? {
    guard plan.wantsVectors, let offset else { return nil }
    return gradient(at: offset)
  }
}

/// The products with a decoder's weights, what adapters add beside them, and the gradients of both.
final class LinearLayers<S: TransformerScalar> {
  private let savings: DecoderSavings
  private let kernels: TransformerKernels<S>
  /// Products with a factor: rows × rank.
  private let inner = Buffer<S>()
  /// Inputs after dropout, and products with them: rows × columns.
  private let dropped = Buffer<S>(), branch = Buffer<S>()

  private var rows = 0
  private var dropout: AdapterDropout<S>?
  private var packed: PackedWeights<S>?
  private var branches: AdapterBranches<S>?

  init(savings: DecoderSavings, kernels: TransformerKernels<S>) {
    self.savings = savings
    self.kernels = kernels
  }

  /// Sets what holds for a forward pass of so many rows, and its backward pass.
  func begin(
    rows: Int, dropout: AdapterDropout<S>? = nil, packed: PackedWeights<S>? = nil,
    branches: AdapterBranches<S>? = nil
  ) {
    self.rows = rows
    self.dropout = dropout
    self.packed = packed
    self.branches = branches
  }

  /// Which factor of a product is transposed.
  enum Transposed { case neither, first, second }

  /// c = op(a)·op(b) (+ c), row-major with the given row strides, of m × n with the inner dimension k.
  func multiply(
    _ a: UnsafePointer<S>, _ lda: Int, _ isTransposed: Transposed, _ b: UnsafePointer<S>, _ ldb: Int,
    _ m: Int, _ n: Int, _ k: Int, into result: UnsafeMutablePointer<S>, _ ldc: Int, alpha: S = 1,
    adding: Bool = false
  ) {
    S.gemm(
      isTransposed == .first, isTransposed == .second, m, n, k, alpha, a, lda, b, ldb, adding ? 1 : 0, result, ldc)
  }

  /// y = alpha·x·Wᵀ (+ y) for the matrix at `offset`, of `count` rows of x; a row of y begins every `stride` elements.
  func apply(
    _ weights: UnsafePointer<S>, at offset: Int, rows: Int, columns: Int, to x: UnsafePointer<S>, count: Int,
    into y: UnsafeMutablePointer<S>, stride: Int, alpha: S = 1, adding: Bool = false
  ) {
    if let packed {
      kernels.packedProduct(x, columns, count, packed[offset], rows, columns, alpha, adding ? 1 : 0, y, stride)
    } else {
      multiply(
        x, columns, .second, weights + offset, columns, count, rows, columns, into: y, stride, alpha: alpha,
        adding: adding)
    }
  }
}

// MARK: - Forward and back

extension LinearLayers {
  /// y = x·Wᵀ (+ y), with what adapters add beside the weights.
  func apply(
    _ weights: UnsafePointer<S>, _ group: LinearGroup, to x: UnsafePointer<S>, into y: UnsafeMutablePointer<S>,
    adding: Bool = false
  ) {
    for block in group.blocks(fused: savings.fusesProjections) {
      apply(
        weights, at: group.offset + block.first * group.columns, rows: block.rows, columns: group.columns, to: x,
        count: rows, into: y + block.first, stride: group.width, adding: adding)
    }
    addDropped(group, of: x, to: y)
    addBranches(group, of: x, to: y)
  }

  /// dx = dy·W, with what adapters add.
  func applyTransposed(
    _ weights: UnsafePointer<S>, _ group: LinearGroup, to dy: UnsafePointer<S>, into dx: UnsafeMutablePointer<S>
  ) {
    let columns = group.columns
    for block in group.blocks(fused: savings.fusesProjections) {
      multiply(
        dy + block.first, group.width, .neither, weights + group.offset + block.first * columns, columns, rows,
        columns, block.rows, into: dx, columns, adding: block.first > 0)
    }
    addDroppedGradient(group, of: dy, to: dx)
  }

  /// Calls `body` with each part and the rows before it.
  private func forEachPart(of group: LinearGroup, _ body: (LinearGroup.Part, Int) -> Void) {
    var first = 0
    for part in group.parts {
      body(part, first)
      first += part.rows
    }
  }

  /// y += s·(x·Aᵀ)·Bᵀ for each part whose adapter stands beside the weights.
  private func addBranches(_ group: LinearGroup, of x: UnsafePointer<S>, to y: UnsafeMutablePointer<S>) {
    guard let branches else { return }
    let (columns, factors) = (group.columns, branches.factors.pointer)
    forEachPart(of: group) { part, first in
      guard let span = branches.spans[part.number] else { return }
      let (r, t) = (span.rank, inner.reserve(rows * span.rank))
      multiply(x, columns, .second, factors + span.a, columns, rows, r, columns, into: t, r)
      multiply(
        t, r, .second, factors + span.b, r, rows, part.rows, r, into: y + first, group.width, alpha: S(span.scaling),
        adding: true)
    }
  }
}

// MARK: - Dropout

extension LinearLayers {
  /// The dropout of a part's input; nil where there is none.
  private func dropout(of part: LinearGroup.Part) -> AdapterDropout<S>? {
    dropout.flatMap { $0.isAdapted[part.number] ? $0 : nil }
  }

  /// y += (dropout(x) − x)·Dᵀ with D = W_eff − W_frozen, each part with a mask of its own, so that y = W_frozen·x + D·dropout(x).
  private func addDropped(_ group: LinearGroup, of x: UnsafePointer<S>, to y: UnsafeMutablePointer<S>) {
    let columns = group.columns
    forEachPart(of: group) { part, first in
      guard let dropout = dropout(of: part) else { return }
      let mask = dropout.drawMask(of: part.number, count: rows * columns)
      let difference = dropped.reserve(rows * columns)
      for i in 0..<rows * columns { difference[i] = (mask[i] - 1) * x[i] }
      multiply(
        difference, columns, .second, dropout.branch + group.offset + first * columns, columns, rows, part.rows,
        columns, into: y + first, group.width, adding: true)
    }
  }

  /// dx += (mask − 1) ∘ (dy·D).
  private func addDroppedGradient(_ group: LinearGroup, of dy: UnsafePointer<S>, to dx: UnsafeMutablePointer<S>) {
    let columns = group.columns
    forEachPart(of: group) { part, first in
      guard let dropout = dropout(of: part) else { return }
      let mask = dropout.mask(of: part.number)
      let t = branch.reserve(rows * columns)
      multiply(
        dy + first, group.width, .neither, dropout.branch + group.offset + first * columns, columns, rows, columns,
        part.rows, into: t, columns)
      for i in 0..<rows * columns { dx[i] += (mask[i] - 1) * t[i] }
    }
  }

  /// What a part's adapter was given: x, or dropout(x).
  private func input(_ x: UnsafePointer<S>, of part: LinearGroup.Part, columns: Int) -> UnsafePointer<S> {
    guard let dropout = dropout(of: part) else { return x }
    let (mask, count) = (dropout.mask(of: part.number), rows * columns)
    let result = dropped.reserve(count)
    for i in 0..<count { result[i] = mask[i] * x[i] }
    return UnsafePointer(result)
  }
}

// MARK: - Gradients

extension LinearLayers {
  /// Adds what is wanted of a group whose input was x.
  func addGradients(
    _ target: GradientTarget<S>, _ group: LinearGroup, of dy: UnsafePointer<S>, from x: UnsafePointer<S>
  ) {
    let (columns, width) = (group.columns, group.width)
    if savings.fusesProjections, dropout == nil, group.parts.allSatisfy({ target.plan.linear[$0.number] == .dense }) {
      multiply(
        dy, width, .first, x, columns, width, columns, rows, into: target.gradient(at: group.offset), columns,
        adding: true)
      return
    }
    forEachPart(of: group) { part, first in
      switch target.plan.linear[part.number] {
      case .none: break
      case .dense:
        multiply(
          dy + first, width, .first, input(x, of: part, columns: columns), columns, part.rows, columns, rows,
          into: target.gradient(at: group.offset + first * columns), columns, adding: true)
      case .factored(let span):
        addFactorGradients(
          target, span, rows: part.rows, columns: columns, of: dy + first, stride: width,
          from: input(x, of: part, columns: columns))
      }
    }
  }

  /// ∂B = s·dyᵀ·(x·Aᵀ) and ∂A = s·(dy·B)ᵀ·x (Hu et al. 2021): 4·(rows + columns)·rank flops a token where the dense gradient
  /// takes 2·rows·columns.
  private func addFactorGradients(
    _ target: GradientTarget<S>, _ span: FactorSpan, rows outputs: Int, columns: Int, of dy: UnsafePointer<S>,
    stride: Int, from x: UnsafePointer<S>
  ) {
    let (r, n, s) = (span.rank, rows, S(span.scaling))
    let (a, b) = (target.factors! + span.a, target.factors! + span.b)
    let sink = target.sink.factors.pointer
    let t = inner.reserve(n * r)
    if span.trainsB {
      multiply(x, columns, .second, a, columns, n, r, columns, into: t, r)
      multiply(dy, stride, .first, t, r, outputs, r, n, into: sink + span.b, r, alpha: s, adding: true)
    }
    if span.trainsA {
      multiply(dy, stride, .neither, b, r, n, r, outputs, into: t, r)
      multiply(t, r, .first, x, columns, r, columns, n, into: sink + span.a, columns, alpha: s, adding: true)
    }
  }
}
