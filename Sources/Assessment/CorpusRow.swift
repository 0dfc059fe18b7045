import Diagnosis
import OrderedCollections
import RunStore
import Weights

/// A run of the corpus in one line: what it was, how it ended, its signals, and when the detectors alarmed.
package struct CorpusRow: Equatable, Sendable {
  /// What a run is used for; fixed by the file that describes the corpus.
  package enum Half: String, CaseIterable, Sendable { case calibration, test }

  package var run: String
  package var half: Half
  package var base: String
  package var task: String
  package var method: String
  package var rank: Int?
  package var learningRate: Double
  package var warmsUp: Bool
  package var seed: Int
  package var steps: Int
  package var course: RunCourse
  package var retention: Double?
  /// The largest value while an alarm still counts, by signal and watch; see `Window`.
  package var signals: OrderedDictionary<String, Double> = [:]
  /// The step of the first alarm, by sight and watch, or by code.
  package var alarms: OrderedDictionary<String, Int> = [:]
  /// Of a run that collapsed: how it ended when repeated at the rate that the remedy names, and at a third of its own.
  package var repeats: [Repeat: Repetition] = [:]
  /// What the verdict named as the cause, in process.
  package var cause: Cause?

  /// At which rate a run was repeated.
  package enum Repeat: String, CaseIterable, Sendable { case remedy, third }

  /// One repetition.
  package struct Repetition: Equatable, Sendable {
    package var learningRate: Double
    package var label: RunLabel

    package init(learningRate: Double, label: RunLabel) {
      (self.learningRate, self.label) = (learningRate, label)
    }
  }

  package init(
    run: String, half: Half, base: String, task: String, method: String, rank: Int?, learningRate: Double,
    warmsUp: Bool,
    seed: Int, steps: Int, course: RunCourse, retention: Double?
  ) {
    (self.run, self.half, self.base, self.task) = (run, half, base, task)
    (self.method, self.rank, self.learningRate, self.warmsUp) = (method, rank, learningRate, warmsUp)
    (self.seed, self.steps, self.course, self.retention) = (seed, steps, course, retention)
  }

  package var label: RunLabel { course.label }
  /// Nothing was lost: there is nothing to warn of.
  package var isHealthy: Bool { label == .clean || label == .unlearned }

  /// The last step at which an alarm still counts: strictly before the onset, and of collapses within three steps the update of the onset itself
  /// where the training core looks at it before the next rollout. Nil for a run that did not collapse.
  package func lastTimelyStep(_ watch: Replay.Watch) -> Int? {
    course.onset.map { onset in watch == .inProcess && onset <= 3 ? onset : onset - 1 }
  }
}
