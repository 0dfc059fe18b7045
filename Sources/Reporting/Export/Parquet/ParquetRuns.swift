/// Parquet's hybrid of run lengths and packed bits, in which definition levels and places in dictionaries are written.
struct ParquetRuns {
  /// From this many equal numbers on, a run is shorter than packed bits.
  private static let groupLength = 8

  private let bitWidth: Int
  private var bytes: [UInt8] = []
  /// Numbers to be packed.
  private var packed: [Int] = []

  private init(bitWidth: Int) { self.bitWidth = bitWidth }

  /// - Parameters:
  ///   - bitWidth: the bits of one number, at least 1; none needs more.
  static func encoded(_ numbers: [Int], bitWidth: Int) -> [UInt8] {
    var runs = ParquetRuns(bitWidth: bitWidth)
    var start = 0
    while start < numbers.count {
      let end = numbers[start...].firstIndex { $0 != numbers[start] } ?? numbers.count
      runs.add(numbers[start], count: end - start)
      start = end
    }
    runs.flush()
    return runs.bytes
  }

  /// Bits that hold every number below `count`, at least one.
  static func bitWidth(below count: Int) -> Int { max(1, Int.bitWidth - (count - 1).leadingZeroBitCount) }

  private mutating func add(_ number: Int, count: Int) {
    // Packed bits come in whole groups: a group that was begun is filled first.
    let filling = min(count, (Self.groupLength - packed.count % Self.groupLength) % Self.groupLength)
    let rest = count - filling
    packed += repeatElement(number, count: filling)
    guard rest >= Self.groupLength else {
      packed += repeatElement(number, count: rest)
      return
    }
    flush()
    ThriftValue.append(varint: UInt64(rest) << 1, to: &bytes)
    for byte in 0..<(bitWidth + 7) / 8 { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * byte))) }
  }

  /// Writes what is to be packed, the last group filled with zeros that nobody reads.
  private mutating func flush() {
    guard !packed.isEmpty else { return }
    let groups = (packed.count + Self.groupLength - 1) / Self.groupLength
    ThriftValue.append(varint: UInt64(groups) << 1 | 1, to: &bytes)
    packed += repeatElement(0, count: groups * Self.groupLength - packed.count)
    var (bits, count) = (UInt64(0), 0)
    for number in packed {
      bits |= UInt64(number) << count
      count += bitWidth
      while count >= 8 {
        bytes.append(UInt8(truncatingIfNeeded: bits))
        (bits, count) = (bits >> 8, count - 8)
      }
    }
    packed = []
  }
}
