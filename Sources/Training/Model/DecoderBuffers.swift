import Foundation
import LinearAlgebra

/// Memory that is uninitialised, owned, and grows when asked for more.
///
/// Several threads may use one, each at places of its own, while none makes it grow.
package final class Buffer<S: Sendable>: @unchecked Sendable {
  package private(set) var pointer: UnsafeMutablePointer<S>
  private(set) var capacity: Int

  init(_ capacity: Int = 1) {
    self.capacity = max(1, capacity)
    pointer = .allocate(capacity: self.capacity)
  }

  package convenience init(_ elements: [S]) {
    self.init(elements.count)
    pointer.initialize(from: elements, count: elements.count)
  }

  deinit { pointer.deallocate() }

  /// Room for `count` elements; what was there is lost when it has to grow.
  @discardableResult
  func reserve(_ count: Int) -> UnsafeMutablePointer<S> {
    guard count > capacity else { return pointer }
    pointer.deallocate()
    capacity = count + count / 4
    pointer = .allocate(capacity: capacity)
    return pointer
  }

  /// A copy of the first `count` elements.
  package func array(_ count: Int) -> [S] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

  /// Element by element this would be slow in generic code; the bits of zero are all zero.
  func zero(_ count: Int) where S: Scalar {
    memset(pointer, 0, count * MemoryLayout<S>.stride)
  }
}

/// What the forward pass of one layer leaves for its backward pass; a row each token.
final class LayerActivations<S: TransformerScalar> {
  /// What enters the layer, and what stands between its two blocks: rows × hiddenSize.
  let input = Buffer<S>(), middle = Buffer<S>()
  /// 1/rms of each row before each block.
  let attentionInverse = Buffer<S>(), feedForwardInverse = Buffer<S>()
  /// The normalised rows that enter each block.
  let attentionInput = Buffer<S>(), feedForwardInput = Buffer<S>()
  /// Queries and keys, turned by their positions, and values: rows × (querySize + 2·keyValueSize).
  let queryKeyValue = Buffer<S>()
  /// rows × heads × the room for a row's keys.
  let probabilities = Buffer<S>()
  /// What the heads read: rows × querySize.
  let attended = Buffer<S>()
  /// rows × 2·intermediateSize.
  let gateUp = Buffer<S>()
  /// rows × intermediateSize.
  let gated = Buffer<S>()

  func reserve(rows: Int, keyCapacity: Int, _ c: DecoderConfiguration) {
    for buffer in [input, middle, attentionInput, feedForwardInput] { buffer.reserve(rows * c.hiddenSize) }
    for buffer in [attentionInverse, feedForwardInverse] { buffer.reserve(rows) }
    queryKeyValue.reserve(rows * (c.querySize + 2 * c.keyValueSize))
    probabilities.reserve(rows * c.headCount * keyCapacity)
    attended.reserve(rows * c.querySize)
    gateUp.reserve(rows * 2 * c.intermediateSize)
    gated.reserve(rows * c.intermediateSize)
  }
}

/// Gradients of the activations of one layer at a time.
final class ActivationGradients<S: TransformerScalar> {
  /// Of what stands between blocks.
  let stream = Buffer<S>()
  /// Of what enters a block.
  let blockInput = Buffer<S>()
  let queryKeyValue = Buffer<S>(), attended = Buffer<S>(), gateUp = Buffer<S>(), gated = Buffer<S>()
  /// For one query's keys.
  let scores = Buffer<S>()

  func reserve(rows: Int, keyCapacity: Int, _ c: DecoderConfiguration) {
    for buffer in [stream, blockInput] { buffer.reserve(rows * c.hiddenSize) }
    queryKeyValue.reserve(rows * (c.querySize + 2 * c.keyValueSize))
    attended.reserve(rows * c.querySize)
    gateUp.reserve(rows * 2 * c.intermediateSize)
    gated.reserve(rows * c.intermediateSize)
    scores.reserve(keyCapacity)
  }
}

/// Keys and values of the tokens so far, for every layer; a row each token.
final class KeyValueCache<S: TransformerScalar> {
  let layers: [Buffer<S>]
  private let width: Int

  init(_ configuration: DecoderConfiguration) {
    width = 2 * configuration.keyValueSize
    layers = (0..<configuration.layerCount).map { _ in Buffer() }
  }

  /// Room for so many rows; what was there is lost.
  func reserve(rows: Int) {
    for layer in layers { layer.reserve(rows * width) }
  }
}
