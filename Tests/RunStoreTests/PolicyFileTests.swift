import Diagnosis
import RunStore
import TestSupport
import Testing
import Weights

/// The policy file: what it may say, and what is said of mistakes in it.
@Suite struct PolicyFileTests {
  private func policy(_ text: String) throws -> GatePolicy { try PolicyFile.policy(in: text, path: "p.yaml") }

  @Test func everythingThatItMaySay() throws {
    let found = try policy(
      """
      version: 1
      accept:   # what may be missing
        calibration: true
        data: false
      fail-on: warning
      training: {action: roll-back, divide-rate-by: 3, at-most: 2}
      rules:
        SP405: {severity: info, reason: "the base is known to move far"}
        KL-Velocity: {silence: true, reason: no reference model}
        sp201: {fatal: true}
        SP402: {at-least: 0.3}
        SP109: {severity: alert}
      """)
    var training = TrainingGate.Options()
    (training.action, training.rateDivisor, training.most) = (.rollBack, 3, 2)
    let expected = GatePolicy(
      accepted: [.calibration], failsOn: .warning,
      rules: [
        "SP405": .init(severity: .info, reason: "the base is known to move far"),
        "SP404": .init(isSilenced: true, reason: "no reference model"), "SP201": .init(isFatal: true),
        "SP402": .init(leastEffect: 0.3), "SP109": .init(severity: .alert),
      ], training: training)
    #expect(found == expected)
    #expect(try policy("version: 1") == GatePolicy())
    #expect(try policy("{\"version\": 1, \"fail-on\": \"alert\"}") == GatePolicy())
  }

  static let mistakes: [(text: String, problem: String)] = [
    ("", "line 1: expected a policy, found nothing. Begin with `version: 1`"),
    ("[1]", "line 1: the policy: expected keys with values, found a list"),
    ("fail-on: alert", "line 1: expected a version, found none. Begin with `version: 1`"),
    ("version: 2", "line 1: version: expected 1, found \"2\""),
    ("version: \"1\"", "line 1: version: expected 1, found \"1\""),
    (
      "version: 1\nruels: {}",
      "line 2: the policy: expected version, accept, fail-on, training or rules, found \"ruels\". Correct the key, or take it out"
    ),
    ("version: 1\naccept: true", "line 2: accept: expected keys with values, found \"true\""),
    (
      "version: 1\naccept:\n  calibrations: true",
      "line 3: accept: expected calibration or data, found \"calibrations\". Correct the key, or take it out"
    ),
    ("version: 1\naccept: {data: \"true\"}", "line 2: accept: data: expected true or false, found \"true\""),
    ("version: 1\naccept: {data: yes}", "line 2: accept: data: expected true or false, found \"yes\""),
    ("version: 1\nfail-on: info", "line 2: fail-on: expected alert or warning, found \"info\""),
    (
      "version: 1\ntraining: {action: pause}",
      "line 2: training: action: expected stop, refuse or roll-back, found \"pause\""
    ),
    (
      "version: 1\ntraining: {action: roll-back, divide-rate-by: 1}",
      "line 2: training: divide-rate-by: expected a number above 1, found \"1\""
    ),
    (
      "version: 1\ntraining: {divide-rate-by: 3}",
      "line 2: training: expected divide-rate-by with the action roll-back, found it with stop. Say `action: roll-back`, or take it out"
    ),
    (
      "version: 1\ntraining: {action: refuse, at-most: 0}",
      "line 2: training: at-most: expected a whole number of at least 1, found \"0\""
    ),
    (
      "version: 1\ntraining: {at-most: 2}",
      "line 2: training: expected at-most with the action roll-back or refuse, found it with stop. Say what to do up to then, or take it out"
    ),
    (
      "version: 1\ntraining: {rate: 3}",
      "line 2: training: expected action, divide-rate-by or at-most, found \"rate\". Correct the key, or take it out"
    ),
    ("version: 1\nrules: [SP201]", "line 2: rules: expected keys with values, found a list"),
    ("version: 1\nrules: {SP201: fatal}", "line 2: rules: SP201: expected keys with values, found \"fatal\""),
    (
      "version: 1\nrules: {SP201: {severity: error}}",
      "line 2: rules: SP201: severity: expected info, warning or alert, found \"error\""
    ),
    (
      "version: 1\nrules: {SP201: {at-least: much}}",
      "line 2: rules: SP201: at-least: expected a number above 0, found \"much\""
    ),
    (
      "version: 1\nrules: {SP201: {at-least: .nan}}",
      "line 2: rules: SP201: at-least: expected a number above 0, found \".nan\""
    ),
    (
      "version: 1\nrules:\n  SP201: {silence: true, reason: 5}",
      "line 3: rules: SP201: reason: expected a text, found \"5\""
    ),
    (
      "version: 1\nrules:\n  SP201: {silence: true, reason: \" \"}",
      "line 3: rules: SP201: reason: expected a text, found \" \""
    ),
    (
      "version: 1\nrules:\n  SP201: {silence: true}",
      "line 3: rules: SP201: expected a reason for silencing it, found none. Add `reason: \"…\"`, for whoever reads the report"
    ),
    (
      "version: 1\nrules:\n  SP201: {severity: warning}",
      "line 3: rules: SP201: expected a reason for making less of it, found none. Add `reason: \"…\"`, for whoever reads "
        + "the report"
    ),
    (
      "version: 1\nrules:\n  SP201: {}",
      "line 3: rules: SP201: expected severity, silence, fatal or at-least, found nothing. Say what to do with it, or take "
        + "it out"
    ),
    (
      "version: 1\nrules:\n  SP201: {silence: true, fatal: true, reason: x}",
      "line 3: rules: SP201: expected silence alone, found it with fatal. Leave one of them"
    ),
    (
      "version: 1\nrules:\n  SP201: {fatal: true}\n  update-velocity: {fatal: true}",
      "line 4: rules: expected every finding once, found SP201 update-velocity twice. Leave one of them"
    ),
    (
      "version: 1\nversion: 1", "line 1: expected every key once, found \"version\" twice. Leave one of them"
    ),
    (
      "version: 1\naccept: &a {data: true}\nrules: *a",
      "line 3: expected no aliases, found \"*a\". Write out what it stands for"
    ),
    ("version: 1\nrules: {", "line 3: expected YAML, found something else: did not find expected node content"),
    (
      "version: 1\nrules: {zzzzzzzzzz: {fatal: true}}",
      "line 2: rules: expected the code or name of a finding, found \"zzzzzzzzzz\". `spectroscope explain` lists them"
    ),
  ]

  @Test(arguments: mistakes) func aMistakeIsNamed(text: String, problem: String) throws {
    let error = #expect(throws: FileError.self) { try policy(text) }
    #expect(error?.kind == .badContent)
    #expect(error?.description == "p.yaml: " + problem)
  }

  @Test func theNearestNamesAreNamed() throws {
    let error = #expect(throws: FileError.self) {
      try policy("version: 1\nrules:\n  update-velocty: {fatal: true}")
    }
    #expect(error?.description.hasSuffix("found \"update-velocty\". Did you mean SP201 update-velocity?") == true)
  }

  @Test(arguments: [
    String(repeating: "[", count: 60_000), String(repeating: "{a: ", count: 15_000), "\u{0}", "a: *b", "--- 1\n--- 2",
    "!!binary x", "? [a]\n: b", "<<: {version: 1}",
  ]) func hostileTextIsRefused(text: String) throws {
    let error = #expect(throws: FileError.self) { try policy(text) }
    #expect(error?.kind == .badContent)
  }

  @Test func aliasesThatGrowWithoutEndAreRefusedAtOnce() throws {
    var text = "version: 1\na: &a0 [x]\n"
    for level in 1...30 {
      text += "b\(level): &a\(level) [" + repeatElement("*a\(level - 1)", count: 9).joined(separator: ",") + "]\n"
    }
    let error = #expect(throws: FileError.self) { try policy(text + "? *a30\n: 1\n") }
    #expect(error?.description.contains("expected no aliases") == true)
  }

  @Test func starsAndAmpersandsMayStandInReasons() throws {
    let found = try policy("version: 1\nrules: {SP105: {silence: true, reason: \"R&D: 2*x, *always* & ever\"}}")
    #expect(found.rules["SP105"]?.reason == "R&D: 2*x, *always* & ever")
  }

  @Test func filesThatAreNoPolicy() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FileError.self) { try PolicyFile.read(from: folder.path("none")) }
    for bytes in [[UInt8](repeating: 0x20, count: 1 << 17), [0xFF, 0xFE, 0x80]] {
      let error = #expect(throws: FileError.self) { try PolicyFile.read(from: folder.write("p.yaml", bytes)) }
      #expect(error?.kind == .badContent)
    }
  }
}
