import Diagnosis
import Foundation

/// The course of a run at a glance: its reward, or loss, as a line, with the onset; drawn without any script.
struct RewardSketch {
  private let run: ReportRun
  private let series: Series
  private let name: String

  /// The lowest and the highest of all runs, so that sketches beside one another compare.
  private let range: ClosedRange<Double>

  /// - Parameter others: all runs of the page.
  /// - Returns: nil where the log has neither.
  init?(_ run: ReportRun, among others: [ReportRun]) {
    self.run = run
    let names = ["reward", "loss"].filter { run.evidence.timeline[$0].count > 1 }
    guard let name = names.first else { return nil }
    self.name = name
    series = Self.thinned(run.evidence.timeline[name])
    let values = (others + [run]).flatMap { Self.thinned($0.evidence.timeline[name]).values }
    range = min(0, values.min()!)...max(0, values.max()!)
  }

  private static let width = 600.0
  private static let height = 64.0
  /// More points than there are pixels tell nothing.
  private static let mostPoints = 300

  /// Means over equally many neighbours, so that few enough points remain.
  private static func thinned(_ series: Series) -> Series {
    let size = (series.count + mostPoints - 1) / mostPoints
    guard size > 1 else { return series }
    return Series(
      stride(from: 0, to: series.count, by: size).map { start in
        let part = series.points[start..<min(start + size, series.count)]
        return Series.Point(step: part.last!.step, value: mean(part.map(\.value)))
      })
  }

  private var steps: ClosedRange<Int> { series.points.first!.step...series.points.last!.step }

  private func x(_ step: Int) -> Double {
    let span = Double(max(1, steps.upperBound - steps.lowerBound))
    return min(1, max(0, Double(step - steps.lowerBound) / span)) * Self.width
  }

  private func y(_ value: Double) -> Double {
    let (low, high) = (range.lowerBound, range.upperBound)
    return high > low ? 3 + (1 - (value - low) / (high - low)) * (Self.height - 6) : Self.height / 2
  }

  private static func text(_ number: Double) -> String { String(format: "%.1f", number) }

  var html: HTML {
    let points = series.points.map { "\(Self.text(x($0.step))),\(Self.text(y($0.value)))" }.joined(separator: " ")
    let onset = run.verdict.onset.map(x)
    let behind = onset.map { onset in
      HTML(
        "<rect class=\"sick\" x=\"\(Self.text(onset))\" y=\"0\" width=\"\(Self.text(Self.width - onset))\" height=\"64\"/><line class=\"onset\" x1=\"\(Self.text(onset))\" x2=\"\(Self.text(onset))\" y1=\"0\" y2=\"64\"/>"
      )
    }
    return """
      <figure class="sketch"><svg viewBox="0 0 600 64" preserveAspectRatio="none" role="img" aria-label="\(description)">\
      \(behind ?? HTML(markup: ""))<polyline points="\(points)"/></svg>
      <figcaption><span>\(name)</span><span>step \(steps.lowerBound) to \(steps.upperBound)</span></figcaption></figure>

      """
  }

  private var description: String {
    let values = series.values
    let onset = run.verdict.onset.map { ", onset at step \($0)" } ?? ""
    return "\(name) from \(values.first!.brief) to \(values.last!.brief), at most \(values.max()!.brief)\(onset)"
  }
}
