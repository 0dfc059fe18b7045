import Diagnosis
import RunStore
import Spectra
import Weights

extension Comparison {
  /// What was left out or stands for something else, one sentence each.
  package var notes: [String] {
    moduleNotes + directionNotes + missingNotes + startNotes + checkpointNotes + apartNotes
  }

  private var moduleNotes: [String] {
    guard modules.leftOut > 0 else { return [] }
    let (count, left) = (modules.names.count, modules.leftOut)
    return [
      "\(count) module\(count == 1 ? " is" : "s are") in all runs; \(left) that only some have \(left == 1 ? "is" : "are") left out"
    ]
  }

  private var directionNotes: [String] {
    guard let difference = modules.difference else { return [] }
    return [
      "energy, overlap and shift velocity are left out, because k differs: in \(difference.module) it is \(difference.smallest) "
        + "and \(difference.largest); analyse every run again with `spectroscope analyze … --k \(difference.remedy)`"
    ]
  }

  /// What some runs lack, by the runs that lack it.
  private var missingNotes: [String] {
    let candidates = ComparedQuantity.allCases.filter {
      $0.title != nil && $0.side == nil && !($0.dependsOnK && modules.difference != nil)
    }
    var lacking: [(runs: [Int], quantities: [ComparedQuantity])] = []
    for quantity in candidates {
      let without = runs.indices.filter { !has(quantity, run: $0) && !isWithout(quantity, run: $0) }
      guard !without.isEmpty, without.count < runs.count else { continue }
      if let place = lacking.firstIndex(where: { $0.runs == without }) {
        lacking[place].quantities.append(quantity)
      } else {
        lacking.append((without, [quantity]))
      }
    }
    return lacking.map(missingNote)
  }

  /// True for what a run cannot have, of which other notes tell.
  private func isWithout(_ quantity: ComparedQuantity, run: Int) -> Bool {
    if quantity == .effectiveRank, constructions[run].contains(.otherRank) { return true }
    guard trajectories[run].delta == nil else { return false }
    return ![.step, .reward, .accuracy, .velocity, .shiftVelocity].contains(quantity)
  }

  private func missingNote(_ lack: (runs: [Int], quantities: [ComparedQuantity])) -> String {
    let names = lack.quantities.compactMap(\.title).joined(separator: ", ")
    let needsGeometry = lack.quantities.contains(where: \.needsGeometry)
    let owners = lack.runs.map { run in
      let depth = runs[run].analysis.origin.depth
      return needsGeometry && !depth.isEmpty ? "\(runs[run].name) (analysed at depth \(depth))" : runs[run].name
    }.joined(separator: " and ")
    return "not in \(owners): \(names)"
      + (needsGeometry ? "; `spectroscope analyze … --depth full` computes what a lower depth leaves out" : "")
  }

  private var startNotes: [String] {
    runs.indices.flatMap { run -> [String] in
      let name = runs[run].name
      switch trajectories[run].delta {
      case nil:
        return [
          "\(name) has no rows since its start, which is not known: only what moves from checkpoint to checkpoint can be "
            + "compared; pass its first adapter with `spectroscope analyze … --initial DIR`"
        ]
      case .pretrained:
        return ["\(name) has no rows since its start; those since the pretrained weights stand for them"]
      default: break
      }
      if runs[run].method == "svd", runs[run].directions == nil {
        return [
          "\(name) is a control whose directions are not known here, so none of its differences is marked for them"
        ]
      }
      return []
    }
  }

  private var checkpointNotes: [String] {
    var notes = runs.indices.compactMap { run -> String? in
      let steps = trajectories[run].incompleteSteps
      guard !steps.isEmpty else { return nil }
      return
        "\(runs[run].name): \(steps.count == 1 ? "step" : "steps") \(steps.map(String.init).joined(separator: ", ")) "
        + "left out, where a common module has no row"
    }
    if steps.points.isEmpty {
      notes.append("no step to compare: no run has a checkpoint at or below the steps of \(runs[0].name)")
    } else if steps.isNearestBelow {
      notes.append(
        "no step is common to all runs: each stands at its nearest checkpoint below a step of \(runs[0].name)")
    }
    return notes + intervalNotes
  }

  /// A velocity is the length of the straight way between two checkpoints over the number of steps.
  private var intervalNotes: [String] {
    let intervals = trajectories.map { trajectory in
      let steps = [0] + trajectory.points.map(\.step).filter { $0 > 0 }
      return zip(steps.dropFirst(), steps).map { $0 - $1 }.max() ?? 0
    }
    guard Set(intervals).count > 1, quantities.contains(.velocity) else { return [] }
    let parts = zip(runs, intervals).map { "\($0.name) \($1)" }
    return [
      "velocities are over unequal stretches between checkpoints (\(parts.joined(separator: ", ")) steps), "
        + "and a longer stretch makes them smaller, because ways are not straight"
    ]
  }

  private var apartNotes: [String] {
    norms.apart.map { apart in
      let name = runs[apart.run].name
      guard let norms = apart.norms else {
        return "\(name) has no ‖ΔW‖_F since its start, so no run is compared with it at equal norm"
      }
      guard let others = apart.others else { return "\(name) is not compared at equal norm" }
      return "\(name) is not compared at equal norm: its ‖ΔW‖_F goes from \(norms.lowerBound.brief) to "
        + "\(norms.upperBound.brief), and that of \(namesBefore(apart.run)) from \(others.lowerBound.brief) to \(others.upperBound.brief)"
    }
  }

  private func namesBefore(_ run: Int) -> String {
    let names = (0..<run).filter { index in !norms.apart.contains { $0.run == index } }.map { runs[$0].name }
    return names.joined(separator: " and ")
  }
}
