import Foundation
import Reporting
import Testing

/// Numbers as 16-bit steps.
@Suite struct PackedArrayTests {
  private let values = (0..<5000).map { 1e-9 + 40 * pow(abs(sin(Double($0) * 1.7)), 9) }

  /// Nothing is off by more than half of a step of the range.
  @Test func theErrorOfALinearScale() {
    let packed = PackedArray(values, scale: .linear)
    let step = (values.max()! - values.min()!) / 65_533
    for (index, value) in values.enumerated() {
      #expect(abs(packed.value(at: index)! - value) <= step / 2 * (1 + 1e-6))
    }
  }

  @Test func theErrorOfALogarithmicScale() {
    let packed = PackedArray(values, scale: .log)
    let step = log(values.max()! / values.min()!) / 65_533
    for (index, value) in values.enumerated() {
      #expect(abs(log(packed.value(at: index)! / value)) <= step / 2 * (1 + 1e-6))
    }
  }

  @Test func bothEndsAreExact() {
    for scale in [PackedArray.Scale.linear, .log] {
      let packed = PackedArray([0.25, 0.5, 3], scale: scale)
      #expect(abs(packed.value(at: 0)! - 0.25) < 1e-12 && abs(packed.value(at: 2)! - 3) < 1e-12)
    }
  }

  /// What is undefined stays undefined, and zero zero.
  @Test func missingIsNotZero() {
    let linear = PackedArray([.nan, 0, .infinity, -2], scale: .linear)
    #expect((0..<4).map { linear.value(at: $0) } == [nil, 0, nil, -2])
    let log = PackedArray([.nan, 0, -1, 1e-3, -.infinity], scale: .log)
    #expect((0..<5).map { log.value(at: $0) } == [nil, 0, nil, 1e-3, nil])
    #expect(PackedArray([.nan, .nan], scale: .log).isEmpty && !log.isEmpty)
  }

  @Test func oneNumberAlone() {
    for scale in [PackedArray.Scale.linear, .log] {
      #expect(PackedArray([0.3, .nan, 0.3], scale: scale).value(at: 2) == 0.3)
    }
    #expect(PackedArray([0, 0], scale: .linear).value(at: 1) == 0)
    #expect(PackedArray([], scale: .log).base64 == "")
  }

  /// Low byte first: 1 and 65,534 are the ends, 65,535 is missing.
  @Test func theBytes() {
    #expect(Data(base64Encoded: PackedArray([5, 7, .nan], scale: .linear).base64) == Data([1, 0, 254, 255, 255, 255]))
  }
}
