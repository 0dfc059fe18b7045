import Diagnosis
import Foundation
import Weights
import Yams

/// The policy of the gate as a YAML file:
///
///     version: 1
///     accept: {calibration: true, data: false}
///     fail-on: alert
///     training: {action: roll-back, divide-rate-by: 3, at-most: 2}
///     rules:
///       SP405: {severity: info, reason: "the base is known to move far"}
///       kl-velocity: {silence: true, reason: "no reference model"}
///       SP201: {fatal: true}
///       SP402: {at-least: 0.3}
///
/// Everything but `version` may be left out. A policy that is misread lets pass what it should stop, so nothing is guessed: a key, a
/// code or a value that is not known is an error with its line.
package enum PolicyFile {
  /// Larger than any policy, and small enough to be parsed at once.
  private static let mostBytes = 1 << 16

  /// Reads the policy at `path`.
  ///
  /// - Throws: `.cannotOpen`, or `.badContent` with the line, what was expected and found, and what to do.
  package static func read(from path: String) throws(FileError) -> GatePolicy {
    try policy(in: text(of: path), path: path)
  }

  static func text(of path: String) throws(FileError) -> String {
    let file = try PositionedFile(path: path)
    guard file.size <= mostBytes else {
      throw FileError(.badContent, path: path, "expected a policy of at most \(mostBytes) bytes, found \(file.size)")
    }
    guard let text = String(validating: try file.read(file.size, at: 0), as: UTF8.self) else {
      throw FileError(.badContent, path: path, "expected a policy in UTF-8, found other bytes")
    }
    return text
  }

  /// Reads a policy; `path` is the file it is in, for messages.
  package static func policy(in text: String, path: String) throws(FileError) -> GatePolicy {
    let place = PolicyPlace(path: path)
    try requireNoAliases(in: text, place)
    let root: Node?
    do {
      root = try Parser(yaml: text).singleRoot()
    } catch {
      throw place.error(of: error)
    }
    guard let root else { throw place.error(line: 1, "expected a policy, found nothing", "Begin with `version: 1`") }
    let reader = PolicyReader(place: place)
    return try reader.policy(root)
  }

  /// Throws where a name is both an anchor and an alias: aliases of aliases make a short text grow without end, and a policy needs none.
  private static func requireNoAliases(in text: String, _ place: PolicyPlace) throws(FileError) {
    let anchors = Set(text.matches(of: /&([0-9A-Za-z_\-]+)/).map(\.output.1))
    guard let alias = text.matches(of: /\*([0-9A-Za-z_\-]+)/).first(where: { anchors.contains($0.output.1) }) else {
      return
    }
    let line = text[..<alias.range.lowerBound].count(where: \.isNewline) + 1
    throw place.error(
      line: line, "expected no aliases, found \(FileError.quoted(String(alias.output.0)))",
      "Write out what it stands for")
  }
}

/// Makes errors of a policy file.
private struct PolicyPlace {
  let path: String

  func error(line: Int?, _ problem: String, _ remedy: String = "") -> FileError {
    FileError(.badContent, path: path, object: line.map { "line \($0)" } ?? "", problem, remedy: remedy)
  }

  func error(at node: Node, _ problem: String, _ remedy: String = "") -> FileError {
    error(line: node.mark?.line, problem, remedy)
  }

  /// What the parser says, without its drawing of the line.
  func error(of error: any Error) -> FileError {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.error(line: mark.line, "expected YAML, found something else: \(problem)")
    case .duplicatedKeysInMapping(let keys, let context):
      self.error(
        line: context.mark.line,
        "expected every key once, found \(keys.map(FileError.quoted).joined(separator: ", ")) twice",
        "Leave one of them")
    case .reader(let problem, _, _, _):
      self.error(line: nil, "expected YAML, found something else: \(problem)")
    default: self.error(line: nil, "expected YAML, found something else")
    }
  }
}

/// Reads the nodes of a policy.
private struct PolicyReader {
  let place: PolicyPlace

  func policy(_ root: Node) throws(FileError) -> GatePolicy {
    let fields = try fields(of: root, "the policy", ["version", "accept", "fail-on", "training", "rules"])
    guard let version = fields["version"] else {
      throw place.error(at: root, "expected a version, found none", "Begin with `version: 1`")
    }
    guard plain(version) == "1" else {
      throw place.error(at: version, "version: expected 1, found \(found(version))")
    }
    var policy = GatePolicy()
    if let accept = fields["accept"] { policy.accepted = try accepted(accept) }
    if let failOn = fields["fail-on"] {
      policy.failsOn = try severity(failOn, "fail-on", of: [.alert, .warning])
    }
    if let training = fields["training"] { policy.training = try self.training(training) }
    if let rules = fields["rules"] { policy.rules = try self.rules(rules) }
    return policy
  }

  private func accepted(_ node: Node) throws(FileError) -> Set<Gap.Kind> {
    var accepted: Set<Gap.Kind> = []
    let kinds: [Gap.Kind] = [.calibration, .data]
    for (name, value) in try fields(of: node, "accept", kinds.map(\.rawValue)) {
      if try bool(value, "accept: \(name)"), let kind = Gap.Kind(rawValue: name) { accepted.insert(kind) }
    }
    return accepted
  }

  private func training(_ node: Node) throws(FileError) -> TrainingGate.Options {
    let fields = try fields(of: node, "training", ["action", "divide-rate-by", "at-most"])
    var options = TrainingGate.Options()
    if let action = fields["action"] { options.action = try self.action(action) }
    if let divisor = fields["divide-rate-by"] {
      let value = try number(divisor, "training: divide-rate-by")
      guard value > 1 else {
        throw place.error(at: divisor, "training: divide-rate-by: expected a number above 1, found \(found(divisor))")
      }
      guard options.action == .rollBack else {
        throw place.error(
          at: divisor,
          "training: expected divide-rate-by with the action roll-back, found it with \(options.action.rawValue)",
          "Say `action: roll-back`, or take it out")
      }
      options.rateDivisor = value
    }
    if let most = fields["at-most"] {
      guard options.action != .stop else {
        throw place.error(
          at: most, "training: expected at-most with the action roll-back or refuse, found it with stop",
          "Say what to do up to then, or take it out")
      }
      guard let count = plain(most).flatMap({ Int($0) }), count >= 1 else {
        throw place.error(at: most, "training: at-most: expected a whole number of at least 1, found \(found(most))")
      }
      options.most = count
    }
    return options
  }

  private func action(_ node: Node) throws(FileError) -> TrainingGate.Options.Action {
    if let action = plain(node, orQuoted: true).flatMap(TrainingGate.Options.Action.init) { return action }
    let all = TrainingGate.Options.Action.allCases.map(\.rawValue)
    throw place.error(at: node, "training: action: expected \(Self.list(all)), found \(found(node))")
  }

  private func rules(_ node: Node) throws(FileError) -> [String: GatePolicy.Rule] {
    var rules: [String: GatePolicy.Rule] = [:]
    for (key, value) in try pairs(of: node, "rules") {
      let page = try page(key)
      guard rules[page.code] == nil else {
        throw place.error(
          at: key, "rules: expected every finding once, found \(page.code) \(page.name) twice", "Leave one of them")
      }
      rules[page.code] = try rule(value, key: key, page)
    }
    return rules
  }

  private func page(_ key: Node) throws(FileError) -> FindingPage {
    guard case .scalar(let scalar) = key else {
      throw place.error(at: key, "rules: expected the code or name of a finding, found \(found(key))")
    }
    if let kind = Catalogue.kind(scalar.string) { return kind.page }
    let near = Catalogue.kinds(near: scalar.string).map { "\($0.page.code) \($0.page.name)" }
    throw place.error(
      at: key, "rules: expected the code or name of a finding, found \(FileError.quoted(scalar.string))",
      near.isEmpty ? "`spectroscope explain` lists them" : "Did you mean \(near.joined(separator: " or "))?")
  }

  private func rule(_ node: Node, key: Node, _ page: FindingPage) throws(FileError) -> GatePolicy.Rule {
    let subject = "rules: \(page.code)"
    let fields = try fields(of: node, subject, ["severity", "silence", "fatal", "at-least", "reason"])
    guard fields.keys.contains(where: { $0 != "reason" }) else {
      throw place.error(
        at: key,
        "\(subject): expected severity, silence, fatal or at-least, found \(fields.isEmpty ? "nothing" : "a reason alone")",
        "Say what to do with it, or take it out")
    }
    var rule = GatePolicy.Rule()
    if let value = fields["severity"] {
      rule.severity = try severity(value, "\(subject): severity", of: Severity.allCases)
    }
    if let value = fields["silence"] { rule.isSilenced = try bool(value, "\(subject): silence") }
    if let value = fields["fatal"] { rule.isFatal = try bool(value, "\(subject): fatal") }
    if let value = fields["at-least"] { rule.leastEffect = try number(value, "\(subject): at-least") }
    if let value = fields["reason"] { rule.reason = try text(value, "\(subject): reason") }
    try requireSense(rule, at: key, subject, page)
    return rule
  }

  private func requireSense(_ rule: GatePolicy.Rule, at key: Node, _ subject: String, _ page: FindingPage)
    throws(FileError)
  {
    let isLowered = rule.severity.map { $0 < page.severity } ?? false
    if rule.isSilenced || isLowered, rule.reason == nil {
      throw place.error(
        at: key,
        "\(subject): expected a reason for \(rule.isSilenced ? "silencing it" : "making less of it"), found none",
        "Add `reason: \"…\"`, for whoever reads the report")
    }
    let others = [
      rule.severity == nil ? nil : "severity", rule.isFatal ? "fatal" : nil, rule.leastEffect == nil ? nil : "at-least",
    ].compactMap(\.self)
    if rule.isSilenced, let other = others.first {
      throw place.error(at: key, "\(subject): expected silence alone, found it with \(other)", "Leave one of them")
    }
    if rule.isFatal, rule.severity != nil {
      throw place.error(
        at: key, "\(subject): expected fatal or severity, found both",
        "fatal fails whatever the severity: leave one of them")
    }
  }
}

// MARK: - Values

extension PolicyReader {
  /// The members of a mapping whose keys are all known.
  private func fields(of node: Node, _ subject: String, _ known: [String]) throws(FileError) -> [String: Node] {
    var fields: [String: Node] = [:]
    for (key, value) in try pairs(of: node, subject) {
      guard case .scalar(let scalar) = key, known.contains(scalar.string) else {
        throw place.error(
          at: key, "\(subject): expected \(Self.list(known)), found \(found(key))", "Correct the key, or take it out")
      }
      fields[scalar.string] = value
    }
    return fields
  }

  private func pairs(of node: Node, _ subject: String) throws(FileError) -> [(Node, Node)] {
    guard case .mapping(let mapping) = node else {
      throw place.error(at: node, "\(subject): expected keys with values, found \(found(node))")
    }
    return mapping.map { ($0.key, $0.value) }
  }

  private func severity(_ node: Node, _ subject: String, of allowed: [Severity]) throws(FileError) -> Severity {
    if let severity = plain(node, orQuoted: true).flatMap(Severity.init(rawValue:)), allowed.contains(severity) {
      return severity
    }
    throw place.error(
      at: node, "\(subject): expected \(Self.list(allowed.map(\.rawValue))), found \(found(node))")
  }

  private func bool(_ node: Node, _ subject: String) throws(FileError) -> Bool {
    switch plain(node) {
    case "true": return true
    case "false": return false
    default: throw place.error(at: node, "\(subject): expected true or false, found \(found(node))")
    }
  }

  private func number(_ node: Node, _ subject: String) throws(FileError) -> Double {
    guard let value = plain(node).flatMap({ Double($0) }), value.isFinite, value > 0 else {
      throw place.error(at: node, "\(subject): expected a number above 0, found \(found(node))")
    }
    return value
  }

  private func text(_ node: Node, _ subject: String) throws(FileError) -> String {
    guard let text = plain(node, orQuoted: true)?.trimmingCharacters(in: .whitespacesAndNewlines), !text.isEmpty,
      !(plain(node).map(Self.isNoText) ?? false)
    else { throw place.error(at: node, "\(subject): expected a text, found \(found(node))") }
    return text
  }

  /// The text of a scalar that is not in quotes; nil for anything else.
  private func plain(_ node: Node, orQuoted: Bool = false) -> String? {
    guard case .scalar(let scalar) = node, orQuoted || scalar.style == .plain else { return nil }
    return scalar.string
  }

  /// Whether a scalar without quotes stands for nothing, a truth value or a number.
  private static func isNoText(_ plain: String) -> Bool {
    ["~", "null", "true", "false"].contains(plain.lowercased()) || Double(plain) != nil
  }

  private func found(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : FileError.quoted(scalar.string)
    case .mapping: "keys with values"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }

  private static func list(_ words: [String]) -> String {
    words.count < 2 ? words.joined() : words.dropLast().joined(separator: ", ") + " or " + words.last!
  }
}
