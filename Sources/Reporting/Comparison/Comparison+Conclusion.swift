import Diagnosis
import Foundation
import RunStore
import Spectra

extension Comparison {
  /// A few sentences in plain words, from the numbers alone: who moved further per step, what remains at equal norm, what neither tells.
  package var conclusion: [String] { [speed] + remains + [silence] }

  /// A ratio from which on the sentences speak of a difference: a quarter more, or a fifth less.
  private static let notable = 1.25

  private static func isNotable(_ ratio: Double?) -> Bool {
    ratio.map { $0 >= notable || $0 <= 1 / notable } ?? false
  }

  /// The middle of a ratio over the common steps.
  private func ratioAtSteps(_ quantity: ComparedQuantity, run: Int) -> Double? {
    AnalysisSummary.median(steps.points.compactMap { ratio(quantity, run: run, at: $0) })
  }
}

// MARK: - Speed

extension Comparison {
  private var speed: String {
    let ratios = runs.indices.dropFirst().compactMap { run -> (name: String, first: Double, median: Double)? in
      let found = steps.points.compactMap { ratio(.velocity, run: run, at: $0) }
      return AnalysisSummary.median(found).map { (runs[run].name, found[0], $0) }
    }
    guard let one = ratios.first else { return "How far the weights move per step is known at no common step." }
    let count = steps.points.count
    let head = count == 1 ? "" : " at the first of \(count) common steps and \(one.median.brief) in the median of all"
    let others = ratios.dropFirst().map {
      "\($0.name) \($0.first.brief)" + (count == 1 ? "" : " and \($0.median.brief)")
    }
    return "\(rates) the weights move per step, in times of \(runs[0].name): "
      + (["\(one.name) \(one.first.brief)\(head)"] + others).joined(separator: ", ") + "."
  }

  private var rates: String {
    let known = runs.compactMap(\.learningRate)
    guard known.count == runs.count else {
      return "At rates that \(Self.list(runs.filter { $0.learningRate == nil }.map(\.name))) did not record,"
    }
    if Set(known).count == 1 { return "At the same nominal rate of \(known[0])" }
    return "At different nominal rates (" + zip(runs, known).map { "\($0.name) \($1)" }.joined(separator: ", ") + ")"
  }
}

// MARK: - Equal norm

extension Comparison {
  /// What size may explain, or not.
  private var judged: [ComparedQuantity] {
    // Moves belong to the sentence before; at equal norm they say again who takes the larger steps.
    shownQuantities.filter { ![.step, .relativeNorm, .velocity, .shiftVelocity].contains($0) }
  }

  /// A heading, and a line for each run that reaches the largest common norm.
  private var remains: [String] {
    guard let point = norms.points.last else { return [] }
    let size = baseNorm.map { "‖ΔW‖/‖W₀‖ = \((point.position / $0).brief)" } ?? "‖ΔW‖_F = \(point.position.brief)"
    let brackets = steps.points.isEmpty ? "" : ", in brackets the median at equal steps"
    return ["What remains at \(size), in times of \(runs[0].name)\(brackets):"]
      + runs.indices.dropFirst().compactMap { run in
        point.values[run].map { "  \(runs[run].name)\(arrival($0, point)): \(difference(run, point))" }
      }
  }

  private func arrival(_ values: [ComparedQuantity: Double], _ point: AlignedPoint) -> String {
    guard let own = values[.step], let first = point.values[0]?[.step] else { return "" }
    return " (at step \(own.steps), \(runs[0].name) at \(first.steps))"
  }

  private func difference(_ run: Int, _ point: AlignedPoint) -> String {
    func isLarge(_ quantity: ComparedQuantity) -> Bool { Self.isNotable(ratio(quantity, run: run, at: point)) }
    let free = judged.filter { ratio($0, run: run, at: point) != nil && !isByConstruction($0, run: run) }
    let left = free.filter(isLarge)
    let gone = free.filter { !isLarge($0) && Self.isNotable(ratioAtSteps($0, run: run)) }
    let fixed = judged.filter { isByConstruction($0, run: run) && isLarge($0) }
    var parts = [left.isEmpty ? "nothing of a quarter or more" : listed(left, run, point)]
    if !gone.isEmpty { parts.append("gone: " + listed(gone, run, point)) }
    if !fixed.isEmpty { parts.append("by construction: " + listed(fixed, run, point)) }
    return parts.joined(separator: "; ") + "."
  }

  private func listed(_ quantities: [ComparedQuantity], _ run: Int, _ point: AlignedPoint) -> String {
    quantities.map { compared($0, run, point) }.joined(separator: ", ")
  }

  private func compared(_ quantity: ComparedQuantity, _ run: Int, _ point: AlignedPoint) -> String {
    let atSteps = ratioAtSteps(quantity, run: run).map { " (\($0.brief))" } ?? ""
    return "\(quantity.title!) \(ratio(quantity, run: run, at: point)!.brief)\(atSteps)"
  }
}

// MARK: - What is not told

extension Comparison {
  private var silence: String {
    var parts: [String] = []
    if norms.points.isEmpty {
      parts.append("no sizes are equal, so a larger step and another direction cannot be told apart")
    } else if let point = norms.points.last,
      runs.indices.contains(where: { Self.isNotable(ratio(.step, run: $0, at: point)) })
    {
      parts.append("runs of equal size have taken unequal numbers of steps, and what time did remains open")
    }
    let unrewarded = runs.indices.filter { !has(.reward, run: $0) && !has(.accuracy, run: $0) }.map { runs[$0].name }
    if !unrewarded.isEmpty { parts.append("no reward says how well \(Self.list(unrewarded)) did") }
    return "What this cannot tell: " + (parts + [chance]).joined(separator: "; ") + "."
  }

  /// Runs of one setting, if there are any, which show what chance does.
  private var chance: String {
    let twins = Dictionary(grouping: runs.indices, by: setting).values.filter { $0.count > 1 }.min { $0[0] < $1[0] }
    guard let twins else { return "every setting has one run here, so a difference may be its seed's" }
    return
      "\(Self.list(twins.map { runs[$0].name })) are of one method, rank and rate, and a difference between others that "
      + "is no larger than theirs may be chance"
  }

  private func setting(_ run: Int) -> [String] {
    let ranks = runs[run].analysis.rows.compactMap { $0.metrics[.rank] }
    return [runs[run].method, "\(runs[run].learningRate ?? 0)", "\(ranks.max() ?? 0)"]
  }
}

extension Double {
  /// A number of steps, which between checkpoints has a fraction.
  var steps: String { String(format: "%.1f", self) }
}
