import Spectra

/// Which rules of the catalogue had nothing to judge by, and why. A rule that is silent for want of evidence has not passed.
package struct RuleCoverage: Sendable {
  /// The reason by the rule's code.
  package private(set) var reasons: [String: String] = [:]

  package init() {}

  package init(of run: RunEvidence, _ verdict: Verdict) {
    var owned: Set<Gap> = []
    for kind in Catalogue.kinds {
      let gaps = kind.judge(run).gaps
      owned.formUnion(gaps)
      if let gap = gaps.first { reasons[kind.page.code] = gap.text }
    }
    // Gaps of no rule of its own concern change, and so everything that judges it.
    if let gap = verdict.gaps.first(where: { !owned.contains($0) }) {
      add(gap.text, toFamilies: ["SP2", "SP3"], but: [SeriesChanged.page.code])
    }
    if !run.rows.contains(where: { $0.metrics[.leftEnergyTop] != nil }) {
      add("the update was not held against the base", toFamilies: ["SP3"])
    }
    if run.timeline.isEmpty { add("there is no log of the trainer", toFamilies: ["SP4"]) }
    for kind in Catalogue.kinds where reasons[kind.page.code] == nil {
      let columns = kind.columns
      guard !columns.isEmpty, columns.allSatisfy({ run.timeline[$0].isEmpty }) else { continue }
      reasons[kind.page.code] = "the log has no \(columns.joined(separator: " and no "))"
    }
  }

  private mutating func add(_ reason: String, toFamilies families: [String], but exceptions: [String] = []) {
    for code in Catalogue.kinds.map({ $0.page.code }) where families.contains(String(code.prefix(3))) {
      if !exceptions.contains(code), reasons[code] == nil { reasons[code] = reason }
    }
  }
}
