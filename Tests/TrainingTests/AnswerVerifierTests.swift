import Testing
import Training

@Suite struct AnswerVerifierTests {
  @Test(arguments: [
    ("12", "12", true), (" 12\n", "12", true), ("12", " 12 ", true), ("", "", true), (" ", "", true),
    ("é", "e\u{301}", true), ("012", "12", false), ("12.0", "12", false), ("", "12", false), ("1 2", "12", false),
    ("A", "a", false), ("12;", "12", false),
  ])
  func exact(response: String, answer: String, isRight: Bool) {
    #expect(AnswerVerifier(.exact).isRight(response, answer: answer) == isRight)
  }

  private static let huge = "123456789012345678901234567890"

  @Test(arguments: [
    ("12", "12", true), ("012", "12", true), ("+12", "12", true), (" 12\t", "12", true), ("-12", "-12", true),
    ("-012", "-12", true), ("-0", "0", true), ("000", "0", true), ("+0", "-0", true), (huge, huge, true),
    ("00" + huge, huge, true), (huge.dropLast() + "1", huge, false), ("-" + huge, huge, false),
    ("-12", "12", false), ("12", "-12", false), ("", "0", false), ("-", "0", false), ("+", "0", false),
    ("--1", "1", false), ("+-1", "-1", false), ("- 1", "-1", false), ("1 2", "12", false), ("12.0", "12", false),
    ("1e3", "1000", false), ("0x10", "16", false),
    ("1_000", "1000", false), ("1,000", "1000", false), ("twelve", "12", false),
    // Digits of other scripts, and one with an accent.
    ("١٢", "12", false), ("１２", "12", false), ("1²", "12", false), ("1\u{301}2", "12", false),
    ("\u{2212}12", "-12", false),
  ])
  func integer(response: String, answer: String, isRight: Bool) {
    #expect(AnswerVerifier(.integer).isRight(response, answer: answer) == isRight)
  }

  @Test(arguments: [
    ("1e3", "1000", true), ("1E3", "1000", true), ("1000.0", "1000", true), (".5", "0.5", true), ("5.", "5", true),
    ("+5", "5", true), ("-0", "0", true), ("0.3333333", "0.33333333", true), ("0.333", "0.33333333", false),
    ("1e-3", "0.001", true),
    // Relative to a large answer, absolute near zero.
    ("1000000.9", "1000000", true), ("1000001.1", "1000000", false), ("9e-7", "0", true), ("1.1e-6", "0", false),
    ("-5", "5", false), ("", "0", false), (".", "0", false), ("e3", "0", false), ("1e", "1", false), ("-", "0", false),
    ("0x10", "16", false), ("0x1p4", "16", false), ("nan", "nan", false), ("inf", "inf", false),
    ("infinity", "1", false), ("1e400", "1e400", false), ("1,5", "1.5", false), ("1 5", "15", false),
    ("1..5", "1.5", false), ("٣", "3", false), ("1/2", "0.5", false),
  ])
  func numeric(response: String, answer: String, isRight: Bool) {
    #expect(AnswerVerifier(.numeric).isRight(response, answer: answer) == isRight)
  }

  @Test func theToleranceIsTheOneGiven() {
    #expect(AnswerVerifier(.numeric, tolerance: 0.1).isRight("109", answer: "100"))
    #expect(!AnswerVerifier(.numeric, tolerance: 0.1).isRight("111", answer: "100"))
    #expect(AnswerVerifier(.numeric, tolerance: 0).isRight("1e2", answer: "100"))
    #expect(!AnswerVerifier(.numeric, tolerance: 0).isRight("100.00001", answer: "100"))
    #expect(AnswerVerifier(.boxed, tolerance: 0.1).isRight(#"\boxed{109}"#, answer: "100"))
    #expect(AnswerVerifier(.numeric).tolerance == AnswerVerifier.defaultTolerance)
  }

  @Test(arguments: [
    (#"\boxed{12}"#, "12", true), (#"so it is \boxed{12}."#, "12", true), (#"\boxed{ 12 }"#, "12", true),
    // The last one counts.
    (#"\boxed{1} or \boxed{12}"#, "12", true), (#"\boxed{12} or \boxed{1}"#, "12", false),
    // Balanced braces belong to it, and one behind a backslash is a character.
    (#"\boxed{\frac{1}{2}}"#, #"\frac{1}{2}"#, true), (#"\boxed{\{1\}}"#, #"\{1\}"#, true),
    (#"\boxed{\}}"#, #"\}"#, true), (#"\boxed{a\\}"#, #"a\\"#, true), (#"\boxed{{}}"#, "{}", true),
    (#"\boxed{1}}"#, "1", true), (#"\boxed{\boxed{1}}"#, "1", true),
    // Without an end there is no answer, not even an earlier one.
    (#"\boxed{12"#, "12", false), (#"\boxed{\frac{1}{2}"#, #"\frac{1}{2}"#, false),
    (#"\boxed{12} \boxed{3"#, "12", false), (#"\boxed{12\}"#, "12", false),
    // As numbers where both are.
    (#"\boxed{012}"#, "12", true), (#"\boxed{1e3}"#, "1000", true), (#"\boxed{0x10}"#, "16", false),
    (#"\boxed{nan}"#, "0", false), (#"\boxed{x}"#, "12", false), (#"\boxed{}"#, "", true), (#"\boxed{}"#, "0", false),
    // The answer of the file may have a box itself.
    (#"\boxed{12}"#, #"\boxed{12}"#, true), ("12", "12", false), ("", "", false), ("boxed{12}", "12", false),
    (#"\boxed 12"#, "12", false), (#"\boxed {12}"#, "12", false),
  ])
  func boxed(response: String, answer: String, isRight: Bool) {
    #expect(AnswerVerifier(.boxed).isRight(response, answer: answer) == isRight)
  }

  @Test func onlyAnswersThatCanBeReachedAreAccepted() {
    let kinds = AnswerVerifier.Kind.allCases
    func accepting(_ answer: String) -> [AnswerVerifier.Kind] { kinds.filter { AnswerVerifier($0).accepts(answer) } }
    #expect(accepting("12") == kinds)
    #expect(accepting("1e3") == [.exact, .numeric, .boxed])
    for answer in ["", "nan", "0x10", "1e400", "x"] { #expect(accepting(answer) == [.exact, .boxed]) }
  }

  @Test func theResponseShownIsRight() {
    for kind in AnswerVerifier.Kind.allCases {
      let verifier = AnswerVerifier(kind)
      #expect(verifier.response(showing: "12") == (kind == .boxed ? #"\boxed{12}"# : "12"))
      #expect(verifier.isRight(verifier.response(showing: "-7"), answer: "-7"))
    }
    #expect(AnswerVerifier(.boxed).response(showing: #"\boxed{12}"#) == #"\boxed{12}"#)
  }
}
