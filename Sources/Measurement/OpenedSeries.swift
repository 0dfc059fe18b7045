import Adapters
import Weights

/// The checkpoints of a series with their adapters opened, and what was noticed on the way.
struct OpenedSeries {
  var checkpoints: [MeasurementPlan.Checkpoint] = []
  var remarks: [AdapterRemark]
  /// Checkpoints that were seen and could not be opened.
  var damagedCount: Int
  /// Why the first of them could not.
  private(set) var firstError: FileError?

  /// Opens every adapter of `series`; reads names and shapes, no values.
  ///
  /// - Parameter every: only those at multiples of so many steps, and the last one; nil for all.
  init(_ series: CheckpointSeries, every: Int? = nil) {
    remarks = series.remarks
    damagedCount = series.remarks.count { $0.kind == .damagedCheckpoint }
    let last = series.checkpoints.last?.step
    for checkpoint in series.checkpoints
    where every.map({ checkpoint.step.isMultiple(of: $0) || checkpoint.step == last }) ?? true {
      do throws(FileError) {
        let adapter = try AdapterFolder(checkpoint.place)
        checkpoints.append(.init(step: checkpoint.step, statesStep: checkpoint.statesStep, adapter: adapter))
        remarks += adapter.remarks.map { $0.at(step: checkpoint.step) }
      } catch {
        firstError = firstError ?? error
        damagedCount += 1
        remarks.append(AdapterRemark(.damagedCheckpoint, step: checkpoint.step, "\(error)"))
      }
    }
    remarks += SeriesChanges.remarks(on: checkpoints)
  }
}

extension OpenedSeries {
  /// What the values of the checkpoints tell; reads all of them.
  func remarksOnValues() -> [AdapterRemark] {
    checkpoints.flatMap { checkpoint -> [AdapterRemark] in
      do throws(FileError) {
        let remarks = try checkpoint.adapter.remarksOnValues().map { $0.at(step: checkpoint.step) }
        // At step 0 an update is zero because nothing has begun.
        return remarks.filter { $0.kind != .bIsZero || !checkpoint.statesStep || checkpoint.step > 0 }
      } catch {
        return [AdapterRemark(.damagedCheckpoint, step: checkpoint.step, "\(error)")]
      }
    }
  }
}

extension AdapterRemark {
  /// The remark as one about `step`, unless it has a step already.
  func at(step: Int) -> AdapterRemark {
    var copy = self
    copy.step = copy.step ?? step
    return copy
  }
}
