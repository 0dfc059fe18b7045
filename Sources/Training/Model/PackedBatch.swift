import CKernels

/// Token sequences one behind the other, without padding, some of which share the beginning of others.
///
/// The completions of one prompt each see its rows, so that those are computed once.
package struct PackedBatch: Sendable {
  /// One token a row.
  package private(set) var tokens: [Int32] = []
  /// The position of each row in its sequence, from 0.
  package private(set) var positions: [Int32] = []
  /// The rows whose logits are wanted, ascending.
  package private(set) var outputs: [Int] = []
  /// Which queries see which keys; rows of the cache where there is one, of the batch otherwise.
  private(set) var segments: [attention_segment] = []
  /// The row of the cache that each row's key and value go to; empty without a cache.
  private(set) var cacheRows: [Int] = []
  /// The largest number of keys that a row sees.
  private var mostKeys = 0

  /// Room for the keys of a row, in whole vectors.
  var keyCapacity: Int { (mostKeys + 7) / 8 * 8 }

  package init() {}

  package var rows: Int { tokens.count }

  /// Adds a whole sequence; `outputs` are those of its rows, from 0, whose logits are wanted. Returns its rows.
  @discardableResult
  package mutating func add(_ sequence: some Collection<Int32>, outputs: Range<Int>) -> Range<Int> {
    append(sequence, behind: 0..<0, at: 0, outputs: outputs)
  }

  /// Adds tokens that continue the sequence in the rows `prefix`.
  @discardableResult
  package mutating func add(
    _ continuation: some Collection<Int32>, behind prefix: Range<Int>, outputs: Range<Int>
  ) -> Range<Int> {
    append(continuation, behind: prefix, at: prefix.count, outputs: outputs)
  }

  private mutating func append(
    _ sequence: some Collection<Int32>, behind prefix: Range<Int>, at position: Int, outputs wanted: Range<Int>
  ) -> Range<Int> {
    let own = rows..<rows + sequence.count
    tokens += sequence
    positions += (0..<sequence.count).map { Int32(position + $0) }
    outputs += wanted.map { own.lowerBound + $0 }
    segments.append(
      attention_segment(
        query: own.lowerBound, queries: own.count, prefix: prefix.lowerBound, prefix_count: prefix.count,
        own: own.lowerBound, own_offset: 0))
    mostKeys = max(mostKeys, prefix.count + own.count)
    return own
  }

  /// Adds tokens whose keys and values go to the rows of a cache from `cacheRow` on.
  mutating func addCached(_ sequence: some Collection<Int32>, at cacheRow: Int, outputs wanted: Range<Int>) {
    cacheRows += cacheRow..<cacheRow + sequence.count
    let first = append(sequence, behind: 0..<0, at: 0, outputs: wanted).lowerBound
    segments[segments.count - 1] = attention_segment(
      query: first, queries: sequence.count, prefix: 0, prefix_count: 0, own: cacheRow, own_offset: 0)
  }

  /// Adds the newest token of a sequence: number `index` of what follows the prompt in the cache's rows `prompt`, its
  /// predecessors being in the rows from `cacheRow` on.
  mutating func addCached(next token: Int32, number index: Int, behind prompt: Range<Int>, at cacheRow: Int) {
    let row = rows
    tokens.append(token)
    positions.append(Int32(prompt.count + index))
    outputs.append(row)
    cacheRows.append(cacheRow + index)
    segments.append(
      attention_segment(
        query: row, queries: 1, prefix: prompt.lowerBound, prefix_count: prompt.count, own: cacheRow,
        own_offset: index))
    mostKeys = max(mostKeys, prompt.count + index + 1)
  }
}
