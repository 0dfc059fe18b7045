import Diagnosis
import OrderedCollections

/// How a detector errs: alarms of runs of each label, and how early those of collapses came.
package struct AlarmCount: Equatable, Sendable {
  package let clean: Proportion
  package let unlearned: Proportion
  package let damaged: Proportion
  /// Collapses that were alarmed in time, of all of them.
  package let collapsed: Proportion
  /// The same of those with an onset of 4 or later.
  package let slow: Proportion
  /// Steps from the alarm to the onset, ascending, of slow collapses that were alarmed in time.
  package let leads: [Int]

  /// - Parameter alarm: the column of `alarms`.
  /// - Parameter rows: of the test half.
  package init(_ alarm: String, _ watch: Replay.Watch, of rows: [CorpusRow]) {
    func alarmed(_ label: RunLabel) -> Proportion {
      let own = rows.filter { $0.label == label }
      return Proportion(own.count { $0.alarms[alarm] != nil }, of: own.count)
    }
    func isTimely(_ row: CorpusRow) -> Bool {
      row.alarms[alarm].map { $0 <= row.lastTimelyStep(watch)! } ?? false
    }
    (clean, unlearned, damaged) = (alarmed(.clean), alarmed(.unlearned), alarmed(.damaged))
    let all = rows.filter { $0.label == .collapsed }
    let slowOnes = all.filter { $0.course.onset! >= 4 }
    collapsed = Proportion(all.count(where: isTimely), of: all.count)
    slow = Proportion(slowOnes.count(where: isTimely), of: slowOnes.count)
    leads = slowOnes.filter(isTimely).map { $0.course.onset! - $0.alarms[alarm]! }.sorted()
  }

  /// The lead that half of the alarms have or exceed; nil without any.
  package var medianLead: Double? { median(leads.map(Double.init)) }

  /// The lead that nine of ten alarms have or exceed.
  package var lowLead: Int? { leads.isEmpty ? nil : leads[leads.count / 10] }
}
