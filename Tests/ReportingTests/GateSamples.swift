import Diagnosis
import Reporting
import RunStore

/// Reports of the gate, as every format is to show them.
enum GateSamples {
  /// Quotes, ends of comments and sections, commands, escapes, controls, what turns text around, and no characters.
  static let hostile =
    "a\"b'c</x>&amp;]]>--><script>|`*_[l](http://e.vil)::error::x\n::set-output name=a::b\r\u{1B}[31m\u{9B}2J\u{0}\u{7F}\u{202E}\u{2028}\u{FFFE}\u{301}"
    + "%0A,:@all #1 ##[error]x $x$ ~~y~~ {0}"

  static let alert = Finding(
    step: 5, code: "SP201", name: "update-velocity", severity: .alert, module: "layers.0.q_proj", value: 0.02,
    threshold: 0.01, baseline: 0.005, pValue: 0.001, effectSize: 2, cause: .stepSize, message: "moves 2 %, too far",
    remedy: "Lower the rate.")
  static let warning = Finding(
    step: 10, code: "SP402", name: "reward-falling", severity: .warning, message: "the reward fell")
  static let known = Finding(code: "SP405", name: "kl-level", severity: .warning, value: 4, message: "KL is 4")

  static let policy = GatePolicy(
    accepted: [.calibration], rules: ["SP405": .init(isSilenced: true, reason: "known to be far")])

  static func report(
    _ findings: [Finding], gaps: [Gap] = [], policy: GatePolicy = policy, file: String = "runs/my run"
  ) -> GateReport {
    let run = RunEvidence(rows: [])
    let verdict = Verdict(findings: findings, gaps: gaps, run: run)
    return GateReport(
      GateResult(verdict, policy: policy, checkpoints: [0, 5, 10]), file: file,
      origin: AnalysisOrigin(source: file, base: "base", depth: "update"), method: "lora", policy: "p.yaml",
      version: "0.1.0")
  }

  static let failing = report(
    [known, alert, warning], gaps: [Gap(.data, "too few checkpoints"), Gap(.calibration, "not calibrated for x")])
  static let healthy = report([])
  static let open = report([warning], gaps: [Gap(.data, "too few checkpoints")])
  static let uncovered: GateReport = {
    var report = healthy
    report.result = GateResult(on: RunEvidence(rows: []), policy: GatePolicy())
    return report
  }()

  /// Every text that a file can bring is hostile; also what the policy says.
  static let attacked: GateReport = {
    var findings = [alert, warning, known].map { finding in
      var finding = finding
      (finding.module, finding.message, finding.remedy) = (hostile, hostile, hostile)
      return finding
    }
    findings.append(Finding(code: hostile, name: hostile, severity: .alert, value: .infinity, message: hostile))
    let policy = GatePolicy(rules: ["SP405": .init(isSilenced: true, reason: hostile)])
    return report(findings, gaps: [Gap(.data, hostile)], policy: policy, file: hostile)
  }()

  static let all = [
    ("failing", failing), ("healthy", healthy), ("open", open), ("uncovered", uncovered), ("attacked", attacked),
  ]
}
