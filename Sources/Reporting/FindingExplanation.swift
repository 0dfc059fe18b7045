import Diagnosis
import Weights

/// All that the catalogue says of a kind of finding, for reading and as JSON.
package struct FindingExplanation {
  private let page: FindingPage
  private let remedy: String

  package init(_ kind: any FindingKind.Type) {
    page = kind.page
    // Of a run of which nothing is known.
    remedy = kind.remedy(for: RunSetup())
  }

  /// The page in lines of at most `width` characters.
  package func text(width: Int) -> String {
    var parts = [
      ("What it means", page.meaning), ("Why it is bad", page.harm), ("Evidence", page.evidence),
    ]
    if let cause = page.cause { parts.append(("Cause", "\(cause.rawValue): \(cause.words)")) }
    parts.append(("What to do", remedy))
    let sections = parts.map { section($0, $1, width) } + (page.thresholds.isEmpty ? [] : [thresholds(width)])
    return ([title] + sections + [section("Source", page.source, width)]).joined(separator: "\n\n")
  }

  private var title: String {
    "\(page.code) \(page.name) (\(page.severity.rawValue); \(Catalogue.family(of: page.code)))"
  }

  private func section(_ title: String, _ text: String, _ width: Int) -> String {
    title + "\n" + text.wrapped(to: width, indent: "  ")
  }

  private func thresholds(_ width: Int) -> String {
    let blocks = page.thresholds.map { threshold in
      [
        "\(threshold.quantity): \(threshold.value)".wrapped(to: width, indent: "  "),
        "false alarms: \(threshold.falseAlarms)".wrapped(to: width, indent: "    "),
        "misses: \(threshold.misses)".wrapped(to: width, indent: "    "),
      ].joined(separator: "\n")
    }
    return "Thresholds\n" + blocks.joined(separator: "\n")
  }

  package var json: JSONValue {
    [
      "code": .string(page.code), "name": .string(page.name), "severity": .string(page.severity.rawValue),
      "family": .string(Catalogue.family(of: page.code)), "cause": page.cause.map { .string($0.rawValue) } ?? .null,
      "meaning": .string(page.meaning), "harm": .string(page.harm), "evidence": .string(page.evidence),
      "thresholds": .array(
        page.thresholds.map {
          [
            "quantity": .string($0.quantity), "value": .string($0.value), "false_alarms": .string($0.falseAlarms),
            "misses": .string($0.misses),
          ]
        }),
      "remedy": .string(remedy), "source": .string(page.source),
    ]
  }

  /// All kinds by family, one line each.
  package static var list: String {
    let pages = Catalogue.kinds.map { $0.page }
    let families = Dictionary(grouping: pages) { String($0.code.prefix(3)) }.sorted { $0.key < $1.key }
    let nameWidth = pages.map(\.name.count).max() ?? 0
    return families.map { family, pages in
      let lines = pages.map { page in
        let name = page.name.padding(to: nameWidth)
        return "  \(page.code)  \(name)  \(page.severity.rawValue.padding(to: 7))  \(page.meaning.firstSentence)"
      }
      return "\(family)xx \(Catalogue.family(of: pages[0].code))\n" + lines.joined(separator: "\n")
    }.joined(separator: "\n\n")
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
