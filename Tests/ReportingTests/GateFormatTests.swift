import Diagnosis
import Foundation
import OrderedCollections
import Reporting
import Testing
import Weights

/// The gate's formats as text.
@Suite struct GateFormatTests {
  @Test func textSaysTheVerdictFirst() {
    #expect(
      GateFormat.text.text(of: GateSamples.failing) == """
        alert: 1 finding fails, from step 5 on; the cause is the size of the steps
        alert SP201 update-velocity: step 5: moves 2 %, too far (module layers.0.q_proj)
        warning SP402 reward-falling: step 10: the reward fell
        silenced SP405 kl-level: KL is 4 [silenced: known to be far]
        not judged: too few checkpoints
        not judged, accepted: not calibrated for x
        """)
    #expect(GateFormat.text.text(of: GateSamples.healthy) == "healthy: nothing was found that fails")
    #expect(
      GateFormat.text.text(of: GateSamples.open).hasPrefix(
        "inconclusive: nothing fails, and 1 question could not be answered\n"))
  }

  @Test func textSaysWhatAPolicyChanged() {
    let policy = GatePolicy(
      failsOn: .warning, rules: ["SP201": .init(severity: .info, reason: "known"), "SP402": .init(isFatal: true)])
    let text = GateFormat.text.text(of: GateSamples.report([GateSamples.alert, GateSamples.warning], policy: policy))
    #expect(text.contains("\nwarning, fails SP402 reward-falling: step 10: the reward fell\n"))
    #expect(text.hasSuffix("(module layers.0.q_proj) [alert without the policy: known]"))
  }

  @Test func jsonHasTheColumnsOfTheTable() throws {
    let json = try JSONValue(parsing: GateFormat.json.text(of: GateSamples.failing))
    #expect(json["schema_version"] == 1 && json["outcome"] == "alert" && json["exit_code"] == 1)
    #expect(json["onset"] == 5 && json["cause"] == "step-size" && json["policy"] == "p.yaml")
    let findings = try #require(json["findings"]?.array)
    #expect(findings.map { $0["code"] } == ["SP405", "SP201", "SP402"])
    #expect(findings.map { $0["silenced"] } == [true, false, false])
    #expect(findings.map { $0["fails"] } == [false, true, false])
    #expect(findings[0]["reason"] == "known to be far" && findings[1]["effect_size"] == 2.0)
    #expect(json["not_judged"]?.array?.map { $0["accepted"] } == [false, true])
    let schema = try JSONValue(parsing: GateJSON.schema)
    #expect(schema["required"]?.array?.compactMap(\.string) == json.object.map { Array($0.keys) })
  }

  @Test func sarifHasResultsOfRules() throws {
    let run = try #require(JSONValue(parsing: GateFormat.sarif.text(of: GateSamples.failing))["runs"]?.array?.first)
    let rules = try #require(run["tool"]?["driver"]?["rules"]?.array)
    #expect(rules.map { $0["id"]?.string } == Catalogue.kinds.map { $0.page.code })
    let results = try #require(run["results"]?.array)
    #expect(results.map { $0["level"] } == ["warning", "error", "warning"])
    for result in results { #expect(rules[try #require(result["ruleIndex"]?.int)]["id"] == result["ruleId"]) }
    #expect(results.map { $0["suppressions"]?.array?.count } == [1, 0, 0])
    #expect(results[0]["suppressions"]?.array?[0]["justification"] == "known to be far")
    let location = try #require(results[1]["locations"]?.array?.first)
    #expect(location["physicalLocation"]?["artifactLocation"]?["uri"] == "runs/my%20run")
    #expect(location["logicalLocations"]?.array?[0]["fullyQualifiedName"] == "layers.0.q_proj")
    let properties = try #require(results[1]["properties"])
    #expect(properties["value"] == 0.02 && properties["p_value"] == 0.001 && properties["step"] == 5)
    #expect(run["invocations"]?.array?[0]["exitCode"] == 1)
  }

  @Test func sarifKnowsAFindingAgain() throws {
    func fingerprints(_ report: GateReport) throws -> [JSONValue?] {
      let run = try JSONValue(parsing: GateFormat.sarif.text(of: report))["runs"]?.array?.first
      return run?["results"]?.array?.map { $0["partialFingerprints"] } ?? []
    }
    var later = GateSamples.alert
    (later.value, later.message) = (0.03, "other words")
    let first = try fingerprints(GateSamples.report([GateSamples.alert]))
    #expect(try fingerprints(GateSamples.report([later])) == first)
    #expect(try Set(fingerprints(GateSamples.report([GateSamples.alert, later])).map { $0?.text() }).count == 2)
  }

  @Test func junitHasACaseARule() {
    let text = GateFormat.junit.text(of: GateSamples.failing)
    let count = Catalogue.kinds.count + 2
    #expect(
      text.contains("<testsuite name=\"runs/my run\" tests=\"\(count)\" failures=\"1\" errors=\"0\" skipped=\"3\">"))
    #expect(
      text.contains(
        "<failure type=\"alert\" message=\"step 5: moves 2 %, too far (module layers.0.q_proj)\">step 5: moves 2 %, too far "
          + "(module layers.0.q_proj)\nLower the rate.</failure>"))
    #expect(text.contains("<skipped message=\"silenced: known to be far: KL is 4\"/>"))
    #expect(text.contains("<system-out>warning: step 10: the reward fell</system-out>"))
    #expect(
      GateFormat.junit.text(of: GateSamples.uncovered).contains(
        "name=\"SP401 reward-collapsed\" time=\"0\">\n      <skipped message=\"not judged: there is no log of the trainer\"/>"
      ))
  }

  @Test func githubHasACommandALine() {
    #expect(
      GateFormat.github.text(of: GateSamples.failing) == """
        ::error title=Spectroscope%3A alert::runs/my run: 1 finding fails, from step 5 on; the cause is the size of the steps
        ::notice title=silenced%3A SP405 kl-level::KL is 4%0Asilenced: known to be far
        ::error title=SP201 update-velocity::step 5: moves 2 %25, too far (module layers.0.q_proj)%0ALower the rate.
        ::warning title=SP402 reward-falling::step 10: the reward fell
        ::warning title=not judged::too few checkpoints
        ::notice title=not judged::not calibrated for x
        """)
  }

  @Test func markdownHasTables() {
    #expect(
      GateFormat.markdown.text(of: GateSamples.failing) == """
        ## Spectroscope: alert

        runs/my run: 1 finding fails, from step 5 on; the cause is the size of the steps.

        | severity | finding | step | module | what it says |
        |---|---|---|---|---|
        | alert | SP201 update-velocity | 5 | layers.0.q\\_proj | moves 2 %, too far |
        | warning | SP402 reward-falling | 10 |  | the reward fell |

        What to do:

        - SP201: Lower the rate.

        Silenced by the policy:

        | severity | finding | step | module | what it says |
        |---|---|---|---|---|
        | silenced | SP405 kl-level |  |  | KL is 4 (silenced: known to be far) |

        Not judged:

        - too few checkpoints
        - accepted: not calibrated for x
        """)
  }

  // MARK: Hostile text

  @Test(arguments: GateFormat.allCases) func nothingSteersATerminal(format: GateFormat) {
    let text = format.text(of: GateSamples.attacked)
    for scalar in text.unicodeScalars where scalar != "\n" {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        Issue.record("\(format) holds U+\(String(scalar.value, radix: 16))")
      default: break
      }
    }
  }

  @Test(arguments: [GateFormat.text, .github]) func everyLineIsOurs(format: GateFormat) {
    let starts =
      format == .github
      ? ["::error title=", "::warning title=", "::notice title="]
      : ["alert: ", "alert ", "warning ", "silenced ", "not judged: "]
    let lines = format.text(of: GateSamples.attacked).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 6)
    for line in lines { #expect(starts.contains { line.hasPrefix($0) }, "\(line)") }
  }

  @Test func jsonKeepsEveryCharacter() throws {
    let json = try JSONValue(parsing: GateFormat.json.text(of: GateSamples.attacked))
    let modules = json["findings"]?.array?.compactMap { $0["module"]?.string } ?? []
    #expect(modules.count == 3)
    for module in modules { #expect(Array(module.unicodeScalars) == Array(GateSamples.hostile.unicodeScalars)) }
    #expect(json["findings"]?.array?.contains { $0["value"] == .null && $0["module"] == .null } == true)
  }

  @Test func textOnOneLine() {
    #expect("a\nb\u{1B}[0m é 层".onOneLine == "a\\u{a}b\\u{1b}[0m é 层")
  }

  @Test func wrapping() {
    #expect("one two  three".wrapped(to: 8, indent: "  ") == "  one\n  two\n  three")
    #expect("one two three".wrapped(to: 9) == "one two\nthree")
    #expect("longerthanwidth x".wrapped(to: 5) == "longerthanwidth\nx")
    #expect("".wrapped(to: 5) == "")
    #expect("A b. C d.".firstSentence == "A b." && "A b.".firstSentence == "A b.")
  }
}
