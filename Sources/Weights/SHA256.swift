internal import CKernels

/// SHA-256 (FIPS 180-4) of bytes that come in pieces of any length.
///
/// Our own sixty lines, because swift-crypto would triple the time of a build. It identifies content and finds damage; nothing
/// here is secret.
package struct SHA256: Sendable {
  /// The first 32 bits of the fractional parts of the square roots of the first eight primes (section 5.3.3).
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  /// The bytes behind the last whole block, fewer than 64.
  private var pending: [UInt8] = []
  /// How many bytes there were in all.
  private var count: UInt64 = 0

  /// The state of no bytes.
  package init() {}

  /// Takes the next bytes.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    count += UInt64(bytes.count)
    var rest = bytes[...]
    if !pending.isEmpty {
      let missing = rest.prefix(64 - pending.count)
      pending += missing
      rest = rest.dropFirst(missing.count)
      if pending.count < 64 { return }
      pending.withUnsafeBufferPointer { sha256_blocks(&state, $0.baseAddress!, 1) }
      pending = []
    }
    let whole = UnsafeRawBufferPointer(rebasing: rest.prefix(rest.count & ~63))
    if let start = whole.baseAddress {
      sha256_blocks(&state, start.assumingMemoryBound(to: UInt8.self), whole.count / 64)
    }
    pending += rest.dropFirst(whole.count)
  }

  /// Takes the next bytes.
  package mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// Takes numbers as the bytes that little-endian files hold.
  package mutating func update(_ values: [Float]) {
    values.map(\.bitPattern.littleEndian).withUnsafeBytes { update($0) }
  }

  /// The digest of what was taken so far: 64 hexadecimal digits in lower case.
  package var hexadecimal: String {
    var last = self
    // Section 5.1.1: a one, zeros up to the last eight bytes of a block, and there the length in bits.
    let padding = [0x80] + [UInt8](repeating: 0, count: Int((119 - count % 64) % 64))
    last.update(padding + withUnsafeBytes(of: (count * 8).bigEndian) { [UInt8]($0) })
    return last.state.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }
}
