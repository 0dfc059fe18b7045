import Diagnosis
import Reporting
import Testing

@Suite struct TextTableTests {
  @Test func columnsAreAlignedToTheirWidestCell() {
    var table = TextTable(columns: [("name", .left), ("value", .right), ("note", .left)])
    table.add(["q", "1.5", "ok"])
    table.add(["longer", "100000", ""])
    #expect(
      table.text == """
        name     value  note
        q          1.5  ok
        longer  100000
        """)
  }

  @Test func widthsCountCharactersAndNotBytes() {
    var table = TextTable(columns: [("‖ΔW‖", .right), ("größe", .left), ("x", .right)])
    table.add(["1", "é", "2"])
    #expect(table.text == "‖ΔW‖  größe  x\n   1  é      2")
  }

  @Test func withoutRowsTheTitlesStay() {
    #expect(TextTable(columns: [("a", .left), ("b", .right)]).text == "a  b")
  }
}

/// Three significant digits, whatever the number.
@Suite struct BriefNumberTests {
  @Test(
    arguments: [
      (0, "0"), (0.0123, "0.0123"), (1.53e-05, "1.53e-05"), (9.996, "10.0"), (0.9996, "1.00"), (123456, "123456"),
      (1e300, "1.00e+300"), (1, "1.00"), (12.34, "12.3"), (99.96, "100"), (999.6, "1000"), (1234.4, "1234"),
      (0.001, "0.00100"), (0.0009996, "0.00100"), (0.000999, "9.99e-04"), (999_400, "999400"), (999_999, "1.00e+06"),
      (9_999_999, "1.00e+07"),
      (1e-10, "1.00e-10"), (1.2e-123, "1.20e-123"), (.infinity, "–"), (.nan, "–"),
    ] as [(Double, String)])
  func threeDigits(value: Double, text: String) {
    #expect(value.brief == text)
    #expect((-value).brief == (value.isFinite && value != 0 ? "-" : "") + text)
  }

  @Test func theEndsOfTheRange() {
    #expect((Double.leastNormalMagnitude / 8).brief == "2.78e-309")
    #expect(Double.leastNonzeroMagnitude.brief == "4.94e-324")
    #expect(Double.greatestFiniteMagnitude.brief == "1.80e+308")
  }

  /// Where the third digit rounds up to a new power of ten, a digit behind the point has to go.
  @Test(arguments: [(9.995002, "10.0"), (0.09995002, "0.100"), (99.95002, "100"), (9.994998, "9.99")])
  func roundingUpToAPowerOfTenKeepsThreeDigits(value: Double, text: String) {
    #expect(value.brief == text)
  }
}
