import Foundation
import Measurement
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// One product B·A in three gauges, against its singular values at 50 digits. They fall from 1 to 1e-6, the factors reach
/// condition numbers of 1e7.
@Suite struct GaugeTests {
  private let expected: JSONValue

  init() throws {
    expected = try JSONValue(contentsOf: ReferenceCase.folder + "/" + #require(ReferenceCase.manifest["gauge"]?.string))
  }

  /// The row of delta `init` of that gauge.
  private func measured(_ gauge: String) throws -> SpectrumRow {
    let folder = try TemporaryFolder()
    let source = try #require(expected["cases"]?[gauge]?["source"]?.string)
    let base = try #require(expected["base"]?.string)
    let options = MeasurementOptions(
      source: ReferenceCase.folder + "/" + source, base: ReferenceCase.folder + "/" + base,
      output: folder.path("analysis.h5"))
    let rows = try MeasurementPlan(options).run(options).analysis.rows
    #expect(rows.allSatisfy { $0.module == expected["module"]?.string && $0.step == expected["step"]?.int })
    return try #require(rows.first { $0.delta == .initial })
  }

  @Test(arguments: ["plain", "conditioned", "power-of-two"]) func everyValueIsRightToElevenDigits(gauge: String) throws
  {
    let stated = try #require(expected["cases"]?[gauge]?["singular_values"]?.array)
    let truth = try stated.map { try #require($0.string.flatMap(Double.init)) }
    let values = try measured(gauge).singularValues
    #expect(values.count == expected["rank"]?.int)
    for (value, exact) in zip(values, truth) {
      #expect(abs(value / exact - 1) < 1e-11, "\(value), expected \(exact)")
    }
  }

  /// Powers of two round nothing, so that the two products are equal bit for bit. What Adam would do to the factors depends on how the
  /// product is written.
  @Test func powersOfTwoChangeNothing() throws {
    let (plain, scaled) = (try measured("plain"), try measured("power-of-two"))
    for (a, b) in zip(plain.singularValues, scaled.singularValues) { #expect(abs(a / b - 1) < 1e-13) }
    #expect(plain.metrics[.unitStep] != scaled.metrics[.unitStep])
    for metric in Metric.allCases where metric != .unitStep {
      guard let a = plain.metrics[metric], let b = scaled.metrics[metric] else {
        #expect(plain.metrics[metric] == scaled.metrics[metric])
        continue
      }
      #expect(abs(a - b) <= 1e-13 * abs(a), "\(metric.rawValue)")
    }
  }
}
