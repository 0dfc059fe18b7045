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
  private let linear: LinearLayers<S>
  private var rotary: RotaryTables<S>

  private let layers: [LayerActivations<S>]
  private let gradients = ActivationGradients<S>()
  /// What leaves the last layer.
  private let last = Buffer<S>()
  /// The rows of `last` whose logits are wanted, their 1/rms, and the normalised rows.
  private let gathered = Buffer<S>(), finalInverse = Buffer<S>(), normalized = Buffer<S>()
  private let dNormalized = Buffer<S>(), dGathered = Buffer<S>()
  private let logitsBuffer = Buffer<S>()
  private var batch = PackedBatch()
  private var temperature: S = 1

  package init(_ layout: DecoderLayout, savings: DecoderSavings = DecoderSavings()) {
    self.layout = layout
    self.savings = savings
    kernels = savings.usesVectorKernels ? S.kernels : S.plainKernels
    linear = LinearLayers(savings: savings, kernels: kernels)
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
    linear.begin(rows: batch.rows, dropout: dropout)
    forward(weights, batch, cache: nil, temperature: temperature)
  }

  /// The same for sampling: the batch's keys and values go to the cache, and are read from there.
  func forward(_ weights: SamplingWeights<S>, _ batch: PackedBatch, cache: KeyValueCache<S>, temperature: Double) {
    linear.begin(rows: batch.rows, packed: weights.packed, branches: weights.branches)
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
    let target = GradientTarget(plan: plan, weights: weights, factors: factors, sink: sink)
    projectBackward(target)
    for index in layers.indices.reversed() where index >= first {
      feedForwardBackward(target, index)
      attendBackward(target, index, isLast: index == first && !needsInput)
    }
    if plan.wantsEmbeddings { embedBackward(target) }
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

  private func embedBackward(_ target: GradientTarget<S>) {
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
    linear.apply(w, at.queryKeyValue, to: layer.attentionInput.pointer, into: qkv)
    if let bias = at.queryKeyValueBias { kernels.addBias(qkv, w + bias, n, width) }
    rotate(qkv, direction: 1)
    let (keys, stride) = cache.map { store(qkv, in: $0.layers[index].pointer) } ?? (qkv + c.querySize, width)
    kernels.attention(
      qkv, width, keys, keys + c.keyValueSize, stride, layer.attended.pointer, c.querySize, c.headCount,
      c.keyValueHeadCount, c.headSize, scoreScale, batch.segments, batch.segments.count,
      layer.probabilities.pointer, c.headCount * batch.keyCapacity, batch.keyCapacity)
    layer.middle.pointer.update(from: layer.input.pointer, count: n * d)
    linear.apply(w, at.output, to: layer.attended.pointer, into: layer.middle.pointer, adding: true)
    if let bias = at.outputBias { kernels.addBias(layer.middle.pointer, w + bias, n, d) }
  }

  private func attendBackward(_ target: GradientTarget<S>, _ index: Int, isLast: Bool) {
    let (layer, at, n) = (layers[index], layout.layers[index], batch.rows)
    let (d, width) = (c.hiddenSize, c.querySize + 2 * c.keyValueSize)
    let (stream, dqkv) = (gradients.stream.pointer, gradients.queryKeyValue.pointer)
    if let bias = target.vector(at: at.outputBias) { kernels.columnSums(stream, n, d, bias) }
    linear.addGradients(target, at.output, of: stream, from: layer.attended.pointer)
    linear.applyTransposed(target.weights, at.output, to: stream, into: gradients.attended.pointer)
    let qkv = layer.queryKeyValue.pointer
    gradients.queryKeyValue.zero(n * width)
    kernels.attentionGradient(
      qkv, width, qkv + c.querySize, qkv + c.querySize + c.keyValueSize, width, gradients.attended.pointer,
      c.querySize, c.headCount, c.keyValueHeadCount, c.headSize, scoreScale, batch.segments, batch.segments.count,
      layer.probabilities.pointer, c.headCount * batch.keyCapacity, batch.keyCapacity, dqkv, dqkv + c.querySize,
      dqkv + c.querySize + c.keyValueSize, gradients.scores.pointer)
    rotate(dqkv, direction: -1)
    if let bias = target.vector(at: at.queryKeyValueBias) { kernels.columnSums(dqkv, n, width, bias) }
    linear.addGradients(target, at.queryKeyValue, of: dqkv, from: layer.attentionInput.pointer)
    // Below the first layer that trains nothing needs a gradient.
    if isLast { return }
    let dInput = gradients.blockInput.pointer
    linear.applyTransposed(target.weights, at.queryKeyValue, to: dqkv, into: dInput)
    kernels.rmsNormGradient(
      dInput, layer.input.pointer, target.weights + at.attentionNorm, layer.attentionInverse.pointer, n, d, stream,
      target.vector(at: at.attentionNorm))
  }

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
    linear.apply(w, at.gateUp, to: layer.feedForwardInput.pointer, into: layer.gateUp.pointer)
    kernels.swiglu(layer.gateUp.pointer, n, inner, layer.gated.pointer)
    let out = index + 1 < layers.count ? layers[index + 1].input.pointer : last.pointer
    out.update(from: layer.middle.pointer, count: n * d)
    linear.apply(w, at.down, to: layer.gated.pointer, into: out, adding: true)
  }

  private func feedForwardBackward(_ target: GradientTarget<S>, _ index: Int) {
    let (layer, at, n) = (layers[index], layout.layers[index], batch.rows)
    let (d, inner) = (c.hiddenSize, c.intermediateSize)
    let (stream, dInput) = (gradients.stream.pointer, gradients.blockInput.pointer)
    linear.addGradients(target, at.down, of: stream, from: layer.gated.pointer)
    linear.applyTransposed(target.weights, at.down, to: stream, into: gradients.gated.pointer)
    kernels.swigluGradient(layer.gateUp.pointer, gradients.gated.pointer, n, inner, gradients.gateUp.pointer)
    linear.addGradients(target, at.gateUp, of: gradients.gateUp.pointer, from: layer.feedForwardInput.pointer)
    linear.applyTransposed(target.weights, at.gateUp, to: gradients.gateUp.pointer, into: dInput)
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
    linear.apply(
      w, at: layout.head, rows: c.vocabularySize, columns: d, to: normalized.pointer, count: count, into: logits,
      stride: c.vocabularySize, alpha: 1 / temperature)
  }

  private func projectBackward(_ target: GradientTarget<S>) {
    let (d, v, count) = (c.hiddenSize, c.vocabularySize, outputCount)
    let w = target.weights
    if target.plan.wantsEmbeddings {
      let head = target.gradient(at: layout.head)
      linear.multiply(
        logits, v, .first, normalized.pointer, d, v, d, count, into: head, d, alpha: 1 / temperature,
        adding: true)
    }
    dNormalized.reserve(count * d)
    dGathered.reserve(count * d)
    linear.multiply(
      logits, v, .neither, w + layout.head, d, count, d, v, into: dNormalized.pointer, d, alpha: 1 / temperature)
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
