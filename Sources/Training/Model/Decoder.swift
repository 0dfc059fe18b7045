import Adapters
import LinearAlgebra

/// The forward and backward pass of a decoder, each part's two directions side by side, with the memory they need.
///
/// It holds no weights: they come with each call, in the flat order of the layout, and are only read. One instance serves one thread
/// at a time. Cost of a forward pass about 2 flops, of a backward pass about 4, for each weight and row.
package final class Decoder<S: TransformerScalar> {
  package let layout: DecoderLayout
  let kernels: TransformerKernels<S>
  private let c: DecoderConfiguration
  private let savings: DecoderSavings
  private var rotary: RotaryTables<S>

  private let layers: [LayerActivations<S>]
  private let gradients = ActivationGradients<S>()
  /// What leaves the last layer.
  private let last = Buffer<S>()
  /// The rows of `last` whose logits are wanted, their 1/rms, and the normalised rows.
  private let gathered = Buffer<S>(), finalInverse = Buffer<S>(), normalized = Buffer<S>()
  private let dNormalized = Buffer<S>(), dGathered = Buffer<S>()
  /// Factored gradients: rows × rank.
  private let inner = Buffer<S>()
  private let logitsBuffer = Buffer<S>()
  /// Inputs after dropout, and products with them: rows × columns.
  private let dropped = Buffer<S>(), branch = Buffer<S>()
  private var dropout: AdapterDropout<S>?
  private var packed: PackedWeights<S>?
  private var branches: AdapterBranches<S>?
  private var batch = PackedBatch()
  private var temperature: S = 1

  package init(_ layout: DecoderLayout, savings: DecoderSavings = DecoderSavings()) {
    self.layout = layout
    self.savings = savings
    kernels = savings.usesVectorKernels ? S.kernels : S.plainKernels
    c = layout.configuration
    rotary = RotaryTables(size: c.headSize, theta: c.ropeTheta)
    layers = (0..<c.layerCount).map { _ in LayerActivations() }
  }

  /// The logits of the wanted rows, outputs × vocabularySize, divided by the temperature; the backward pass takes their gradient
  /// from here.
  package var logits: UnsafeMutablePointer<S> { logitsBuffer.pointer }

  /// The number of rows of `logits`.
  package var outputCount: Int { batch.outputs.count }

  /// The number of columns of `logits`.
  package var vocabularySize: Int { c.vocabularySize }

  /// Which factor of a product is transposed.
  private enum Transposed { case neither, first, second }

  /// c = op(a)·op(b) (+ c), row-major with the given row strides, of m × n with the inner dimension k.
  private func multiply(
    _ a: UnsafePointer<S>, _ lda: Int, _ isTransposed: Transposed, _ b: UnsafePointer<S>, _ ldb: Int,
    _ m: Int, _ n: Int, _ k: Int, into result: UnsafeMutablePointer<S>, _ ldc: Int, alpha: S = 1,
    adding: Bool = false
  ) {
    S.gemm(
      isTransposed == .first, isTransposed == .second, m, n, k, alpha, a, lda, b, ldb, adding ? 1 : 0, result, ldc)
  }

  /// y = alpha·x·Wᵀ (+ y) for the matrix at `offset`; a row of y begins every `stride` elements.
  private func apply(
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

// MARK: - The whole

extension Decoder {
  /// Computes `logits` of the batch's outputs.
  ///
  /// - Parameter weights: all parameters in the order of the layout.
  package func forward(_ weights: UnsafePointer<S>, _ batch: PackedBatch, temperature: Double = 1) {
    forward(weights, batch, temperature: temperature, dropout: nil)
  }

  /// - Parameter dropout: what is dropped out of the inputs of adapted layers; the backward pass follows it.
  func forward(
    _ weights: UnsafePointer<S>, _ batch: PackedBatch, temperature: Double, dropout: AdapterDropout<S>?
  ) {
    (self.dropout, packed, branches) = (dropout, nil, nil)
    forward(weights, batch, cache: nil, temperature: temperature)
  }

  /// The same for sampling: the batch's keys and values go to the cache, and are read from there.
  func forward(_ weights: SamplingWeights<S>, _ batch: PackedBatch, cache: KeyValueCache<S>, temperature: Double) {
    (dropout, packed, branches) = (nil, weights.packed, weights.branches)
    forward(weights.flat.pointer, batch, cache: cache, temperature: temperature)
  }

  private func forward(
    _ weights: UnsafePointer<S>, _ batch: PackedBatch, cache: KeyValueCache<S>?, temperature: Double
  ) {
    self.batch = batch
    self.temperature = S(temperature)
    let n = batch.rows
    rotary.reserve(Int(batch.positions.max() ?? 0) + 1)
    last.reserve(n * c.hiddenSize)
    for layer in layers { layer.reserve(rows: n, keyCapacity: batch.keyCapacity, c) }
    embed(weights)
    for index in layers.indices {
      attend(weights, index, cache)
      feedForward(weights, index)
    }
    project(weights)
  }

  /// Adds the gradients that `plan` wants to `sink`, from the gradient of the loss with respect to the logits, which stands in `logits`.
  ///
  /// - Parameter factors: the adapter's parameters, where the plan has factored layers.
  package func backward(
    _ weights: UnsafePointer<S>, plan: GradientPlan, factors: UnsafePointer<S>?, into sink: GradientSink<S>
  ) {
    guard let firstTrained = plan.firstLayer else { return }
    let first = savings.stopsAtFirstTrained ? firstTrained : 0
    let needsInput = plan.wantsVectors || plan.wantsEmbeddings || !savings.stopsAtFirstTrained
    gradients.reserve(rows: batch.rows, keyCapacity: batch.keyCapacity, c)
    let target = Target(plan: plan, weights: weights, factors: factors, sink: sink)
    projectBackward(target)
    for index in layers.indices.reversed() where index >= first {
      feedForwardBackward(target, index)
      attendBackward(target, index, isLast: index == first && !needsInput)
    }
    if plan.wantsEmbeddings { embedBackward(target) }
  }

  /// What a backward pass reads and writes beside activations.
  private struct Target {
    let plan: GradientPlan
    let weights: UnsafePointer<S>
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
}

// MARK: - Embedding

extension Decoder {
  private func embed(_ weights: UnsafePointer<S>) {
    let out = layers.first?.input.pointer ?? last.pointer
    let d = c.hiddenSize
    for (row, token) in batch.tokens.enumerated() {
      (out + row * d).update(from: weights + layout.embedding + Int(token) * d, count: d)
    }
  }

  private func embedBackward(_ target: Target) {
    let d = c.hiddenSize
    for (row, token) in batch.tokens.enumerated() {
      kernels.accumulate(
        gradients.stream.pointer + row * d, d, target.gradient(at: layout.embedding + Int(token) * d))
    }
  }
}

// MARK: - Attention

extension Decoder {
  /// middle = input + o(attention(rmsNorm(input))).
  private func attend(_ w: UnsafePointer<S>, _ index: Int, _ cache: KeyValueCache<S>?) {
    let (layer, at, n) = (layers[index], layout.layers[index], batch.rows)
    let (d, width) = (c.hiddenSize, c.querySize + 2 * c.keyValueSize)
    kernels.rmsNorm(
      layer.input.pointer, w + at.attentionNorm, S(c.normEpsilon), n, d, layer.attentionInput.pointer,
      layer.attentionInverse.pointer)
    let qkv = layer.queryKeyValue.pointer
    apply(
      w, queryKeyValueParts(index), at: at.queryKeyValue, columns: d, to: layer.attentionInput.pointer, into: qkv)
    if let bias = at.queryKeyValueBias { kernels.addBias(qkv, w + bias, n, width) }
    rotate(qkv, direction: 1)
    let (keys, stride) = cache.map { store(qkv, in: $0.layers[index].pointer) } ?? (qkv + c.querySize, width)
    kernels.attention(
      qkv, width, keys, keys + c.keyValueSize, stride, layer.attended.pointer, c.querySize, c.headCount,
      c.keyValueHeadCount, c.headSize, scoreScale, batch.segments, batch.segments.count,
      layer.probabilities.pointer, c.headCount * batch.keyCapacity, batch.keyCapacity)
    layer.middle.pointer.update(from: layer.input.pointer, count: n * d)
    apply(
      w, outputParts(index), at: at.output, columns: c.querySize, to: layer.attended.pointer,
      into: layer.middle.pointer, adding: true)
    if let bias = at.outputBias { kernels.addBias(layer.middle.pointer, w + bias, n, d) }
  }

  private func attendBackward(_ target: Target, _ index: Int, isLast: Bool) {
    let (layer, at, n) = (layers[index], layout.layers[index], batch.rows)
    let (d, width) = (c.hiddenSize, c.querySize + 2 * c.keyValueSize)
    let (stream, dqkv) = (gradients.stream.pointer, gradients.queryKeyValue.pointer)
    if let bias = target.vector(at: at.outputBias) { kernels.columnSums(stream, n, d, bias) }
    addGradients(
      target, outputParts(index), at: at.output, columns: c.querySize, of: stream, from: layer.attended.pointer)
    applyTransposed(
      target.weights, outputParts(index), at: at.output, columns: c.querySize, to: stream,
      into: gradients.attended.pointer)
    let qkv = layer.queryKeyValue.pointer
    gradients.queryKeyValue.zero(n * width)
    kernels.attentionGradient(
      qkv, width, qkv + c.querySize, qkv + c.querySize + c.keyValueSize, width, gradients.attended.pointer,
      c.querySize, c.headCount, c.keyValueHeadCount, c.headSize, scoreScale, batch.segments, batch.segments.count,
      layer.probabilities.pointer, c.headCount * batch.keyCapacity, batch.keyCapacity, dqkv, dqkv + c.querySize,
      dqkv + c.querySize + c.keyValueSize, gradients.scores.pointer)
    rotate(dqkv, direction: -1)
    if let bias = target.vector(at: at.queryKeyValueBias) { kernels.columnSums(dqkv, n, width, bias) }
    addGradients(
      target, queryKeyValueParts(index), at: at.queryKeyValue, columns: d, of: dqkv,
      from: layer.attentionInput.pointer)
    // Below the first layer that trains nothing needs a gradient.
    if isLast { return }
    let dInput = gradients.blockInput.pointer
    applyTransposed(
      target.weights, queryKeyValueParts(index), at: at.queryKeyValue, columns: d, to: dqkv, into: dInput)
    kernels.rmsNormGradient(
      dInput, layer.input.pointer, target.weights + at.attentionNorm, layer.attentionInverse.pointer, n, d, stream,
      target.vector(at: at.attentionNorm))
  }

  private func queryKeyValueParts(_ index: Int) -> [Part] {
    [
      Part(index, 0, rows: c.querySize), Part(index, 1, rows: c.keyValueSize), Part(index, 2, rows: c.keyValueSize),
    ]
  }

  private func outputParts(_ index: Int) -> [Part] { [Part(index, 3, rows: c.hiddenSize)] }

  private var scoreScale: S { 1 / S(c.headSize).squareRoot() }

  /// Turns queries and keys, whose heads follow each other.
  private func rotate(_ qkv: UnsafeMutablePointer<S>, direction: S) {
    kernels.rotate(
      qkv, c.querySize + 2 * c.keyValueSize, batch.rows, c.headCount + c.keyValueHeadCount, c.headSize,
      batch.positions, rotary.cosines, rotary.sines, direction)
  }

  /// Puts the batch's keys and values into their rows of the cache; returns where its keys begin, and its row stride.
  private func store(_ qkv: UnsafePointer<S>, in cache: UnsafeMutablePointer<S>) -> (UnsafeMutablePointer<S>, Int) {
    let width = 2 * c.keyValueSize
    for (row, cacheRow) in batch.cacheRows.enumerated() {
      (cache + cacheRow * width).update(from: qkv + row * (c.querySize + width) + c.querySize, count: width)
    }
    return (cache, width)
  }
}

// MARK: - Feed-forward

extension Decoder {
  /// The next layer's input = middle + down(silu(gate) · up) of rmsNorm(middle).
  private func feedForward(_ w: UnsafePointer<S>, _ index: Int) {
    let (layer, at, n) = (layers[index], layout.layers[index], batch.rows)
    let (d, inner) = (c.hiddenSize, c.intermediateSize)
    kernels.rmsNorm(
      layer.middle.pointer, w + at.feedForwardNorm, S(c.normEpsilon), n, d, layer.feedForwardInput.pointer,
      layer.feedForwardInverse.pointer)
    apply(
      w, gateUpParts(index), at: at.gateUp, columns: d, to: layer.feedForwardInput.pointer, into: layer.gateUp.pointer)
    kernels.swiglu(layer.gateUp.pointer, n, inner, layer.gated.pointer)
    let out = index + 1 < layers.count ? layers[index + 1].input.pointer : last.pointer
    out.update(from: layer.middle.pointer, count: n * d)
    apply(w, downParts(index), at: at.down, columns: inner, to: layer.gated.pointer, into: out, adding: true)
  }

  private func gateUpParts(_ index: Int) -> [Part] {
    [Part(index, 4, rows: c.intermediateSize), Part(index, 5, rows: c.intermediateSize)]
  }

  private func downParts(_ index: Int) -> [Part] { [Part(index, 6, rows: c.hiddenSize)] }

  private func feedForwardBackward(_ target: Target, _ index: Int) {
    let (layer, at, n) = (layers[index], layout.layers[index], batch.rows)
    let (d, inner) = (c.hiddenSize, c.intermediateSize)
    let (stream, dInput) = (gradients.stream.pointer, gradients.blockInput.pointer)
    addGradients(
      target, downParts(index), at: at.down, columns: inner, of: stream, from: layer.gated.pointer)
    applyTransposed(
      target.weights, downParts(index), at: at.down, columns: inner, to: stream, into: gradients.gated.pointer)
    kernels.swigluGradient(layer.gateUp.pointer, gradients.gated.pointer, n, inner, gradients.gateUp.pointer)
    addGradients(
      target, gateUpParts(index), at: at.gateUp, columns: d, of: gradients.gateUp.pointer,
      from: layer.feedForwardInput.pointer)
    applyTransposed(
      target.weights, gateUpParts(index), at: at.gateUp, columns: d, to: gradients.gateUp.pointer, into: dInput)
    kernels.rmsNormGradient(
      dInput, layer.middle.pointer, target.weights + at.feedForwardNorm, layer.feedForwardInverse.pointer, n, d,
      stream, target.vector(at: at.feedForwardNorm))
  }
}

// MARK: - Output head

extension Decoder {
  /// logits = head(rmsNorm(last)) / temperature, of the wanted rows alone.
  private func project(_ w: UnsafePointer<S>) {
    let (d, count) = (c.hiddenSize, outputCount)
    for buffer in [gathered, normalized] { buffer.reserve(count * d) }
    finalInverse.reserve(count)
    logitsBuffer.reserve(count * c.vocabularySize)
    for (i, row) in batch.outputs.enumerated() {
      (gathered.pointer + i * d).update(from: last.pointer + row * d, count: d)
    }
    kernels.rmsNorm(
      gathered.pointer, w + layout.finalNorm, S(c.normEpsilon), count, d, normalized.pointer, finalInverse.pointer)
    apply(
      w, at: layout.head, rows: c.vocabularySize, columns: d, to: normalized.pointer, count: count, into: logits,
      stride: c.vocabularySize, alpha: 1 / temperature)
  }

  private func projectBackward(_ target: Target) {
    let (d, v, count) = (c.hiddenSize, c.vocabularySize, outputCount)
    let w = target.weights
    if target.plan.wantsEmbeddings {
      let head = target.gradient(at: layout.head)
      multiply(
        logits, v, .first, normalized.pointer, d, v, d, count, into: head, d, alpha: 1 / temperature,
        adding: true)
    }
    dNormalized.reserve(count * d)
    dGathered.reserve(count * d)
    multiply(logits, v, .neither, w + layout.head, d, count, d, v, into: dNormalized.pointer, d, alpha: 1 / temperature)
    dGathered.zero(count * d)
    kernels.rmsNormGradient(
      dNormalized.pointer, gathered.pointer, w + layout.finalNorm, finalInverse.pointer, count, d, dGathered.pointer,
      target.vector(at: layout.finalNorm))
    gradients.stream.zero(batch.rows * d)
    for (i, row) in batch.outputs.enumerated() {
      (gradients.stream.pointer + row * d).update(from: dGathered.pointer + i * d, count: d)
    }
  }
}

// MARK: - Linear layers

extension Decoder {
  /// One of several linear layers that share their input and lie one behind the other.
  private struct Part {
    /// In the plan.
    let number: Int
    let rows: Int

    init(number: Int, rows: Int) {
      self.number = number
      self.rows = rows
    }

    /// - Parameter place: among the seven of a decoder layer.
    init(_ layer: Int, _ place: Int, rows: Int) { self.init(number: layer * 7 + place, rows: rows) }
  }

  /// The parts as one, where products are fused.
  private func blocks(_ parts: [Part]) -> [Part] {
    savings.fusesProjections ? [Part(number: parts[0].number, rows: parts.reduce(0) { $0 + $1.rows })] : parts
  }

  /// y = x·Wᵀ (+ y) of linear layers that share their input x and lie one behind the other from `offset` on, with what their adapters
  /// add beside them; y holds them side by side.
  private func apply(
    _ weights: UnsafePointer<S>, _ parts: [Part], at offset: Int, columns: Int, to x: UnsafePointer<S>,
    into y: UnsafeMutablePointer<S>, adding: Bool = false
  ) {
    let width = parts.reduce(0) { $0 + $1.rows }
    var first = 0
    for block in blocks(parts) {
      apply(
        weights, at: offset + first * columns, rows: block.rows, columns: columns, to: x, count: batch.rows,
        into: y + first, stride: width, adding: adding)
      first += block.rows
    }
    addDropped(parts, at: offset, columns: columns, of: x, to: y)
    addBranches(parts, columns: columns, of: x, to: y)
  }

  /// dx = dy·W of the same layers.
  private func applyTransposed(
    _ weights: UnsafePointer<S>, _ parts: [Part], at offset: Int, columns: Int, to dy: UnsafePointer<S>,
    into dx: UnsafeMutablePointer<S>
  ) {
    let width = parts.reduce(0) { $0 + $1.rows }
    var first = 0
    for block in blocks(parts) {
      multiply(
        dy + first, width, .neither, weights + offset + first * columns, columns, batch.rows, columns, block.rows,
        into: dx, columns, adding: first > 0)
      first += block.rows
    }
    addDroppedGradient(parts, at: offset, columns: columns, of: dy, to: dx)
  }

  /// y += s·(x·Aᵀ)·Bᵀ for each part whose adapter stands beside the weights.
  private func addBranches(
    _ parts: [Part], columns: Int, of x: UnsafePointer<S>, to y: UnsafeMutablePointer<S>
  ) {
    guard let branches else { return }
    let (n, width, factors) = (batch.rows, parts.reduce(0) { $0 + $1.rows }, branches.factors.pointer)
    var first = 0
    for part in parts {
      if let span = branches.spans[part.number] {
        let (r, t) = (span.rank, inner.reserve(n * span.rank))
        multiply(x, columns, .second, factors + span.a, columns, n, r, columns, into: t, r)
        multiply(
          t, r, .second, factors + span.b, r, n, part.rows, r, into: y + first, width, alpha: S(span.scaling),
          adding: true)
      }
      first += part.rows
    }
  }

  /// Calls `body` with each part that is adapted while there is dropout, and the rows before it.
  private func forEachDropped(_ parts: [Part], _ body: (Part, Int, AdapterDropout<S>) -> Void) {
    guard let dropout else { return }
    var first = 0
    for part in parts {
      if dropout.isAdapted[part.number] { body(part, first, dropout) }
      first += part.rows
    }
  }

  /// y += (dropout(x) − x)·Dᵀ with D = W_eff − W_frozen, each part with a mask of its own, so that y = W_frozen·x + D·dropout(x).
  private func addDropped(
    _ parts: [Part], at offset: Int, columns: Int, of x: UnsafePointer<S>, to y: UnsafeMutablePointer<S>
  ) {
    let (n, width) = (batch.rows, parts.reduce(0) { $0 + $1.rows })
    forEachDropped(parts) { part, first, dropout in
      let mask = dropout.drawMask(of: part.number, count: n * columns)
      let difference = dropped.reserve(n * columns)
      for i in 0..<n * columns { difference[i] = (mask[i] - 1) * x[i] }
      multiply(
        difference, columns, .second, dropout.branch + offset + first * columns, columns, n, part.rows, columns,
        into: y + first, width, adding: true)
    }
  }

  /// dx += (mask − 1) ∘ (dy·D).
  private func addDroppedGradient(
    _ parts: [Part], at offset: Int, columns: Int, of dy: UnsafePointer<S>, to dx: UnsafeMutablePointer<S>
  ) {
    let (n, width) = (batch.rows, parts.reduce(0) { $0 + $1.rows })
    forEachDropped(parts) { part, first, dropout in
      let mask = dropout.mask(of: part.number)
      let t = branch.reserve(n * columns)
      multiply(
        dy + first, width, .neither, dropout.branch + offset + first * columns, columns, n, columns, part.rows,
        into: t, columns)
      for i in 0..<n * columns { dx[i] += (mask[i] - 1) * t[i] }
    }
  }

  /// What a part's adapter was given: x, or dropout(x).
  private func input(_ x: UnsafePointer<S>, of part: Part, columns: Int) -> UnsafePointer<S> {
    guard let dropout, dropout.isAdapted[part.number] else { return x }
    let (mask, count) = (dropout.mask(of: part.number), batch.rows * columns)
    let result = dropped.reserve(count)
    for i in 0..<count { result[i] = mask[i] * x[i] }
    return UnsafePointer(result)
  }

  /// Adds what is wanted of linear layers that share their input x and lie one behind the other from `offset` on; dy holds them side
  /// by side.
  private func addGradients(
    _ target: Target, _ parts: [Part], at offset: Int, columns: Int, of dy: UnsafePointer<S>,
    from x: UnsafePointer<S>
  ) {
    let width = parts.reduce(0) { $0 + $1.rows }
    if savings.fusesProjections, dropout == nil, parts.allSatisfy({ target.plan.linear[$0.number] == .dense }) {
      multiply(
        dy, width, .first, x, columns, width, columns, batch.rows, into: target.gradient(at: offset),
        columns, adding: true)
      return
    }
    var first = 0
    for part in parts {
      switch target.plan.linear[part.number] {
      case .none: break
      case .dense:
        multiply(
          dy + first, width, .first, input(x, of: part, columns: columns), columns, part.rows, columns, batch.rows,
          into: target.gradient(at: offset + first * columns), columns, adding: true)
      case .factored(let span):
        addFactorGradients(
          target, span, rows: part.rows, columns: columns, of: dy + first, stride: width,
          from: input(x, of: part, columns: columns))
      }
      first += part.rows
    }
  }

  /// ∂B = s·dyᵀ·(x·Aᵀ) and ∂A = s·(dy·B)ᵀ·x (Hu et al. 2021): 4·(rows + columns)·rank flops a token where the dense gradient
  /// takes 2·rows·columns.
  private func addFactorGradients(
    _ target: Target, _ span: FactorSpan, rows: Int, columns: Int, of dy: UnsafePointer<S>, stride: Int,
    from x: UnsafePointer<S>
  ) {
    let (r, n, s) = (span.rank, batch.rows, S(span.scaling))
    let (a, b) = (target.factors! + span.a, target.factors! + span.b)
    let sink = target.sink.factors.pointer
    let t = inner.reserve(n * r)
    if span.trainsB {
      multiply(x, columns, .second, a, columns, n, r, columns, into: t, r)
      multiply(dy, stride, .first, t, r, rows, r, n, into: sink + span.b, r, alpha: s, adding: true)
    }
    if span.trainsA {
      multiply(dy, stride, .neither, b, r, n, r, rows, into: t, r)
      multiply(t, r, .first, x, columns, r, columns, n, into: sink + span.a, columns, alpha: s, adding: true)
    }
  }
}
