import Foundation
import Measurement
import Synchronization

/// Progress with rate and time left on standard error: a line drawn again on a terminal, a line now and then in a log.
final class ProgressLine: Sendable {
  private let state: Mutex<(start: Date, lastShown: Date?, isDrawn: Bool)>
  private let interval: TimeInterval

  init() {
    interval = Console.errorIsTerminal ? 0.1 : 10
    state = Mutex((Date(), nil, false))
  }

  /// Shows `progress`, if enough time has passed since the last one.
  ///
  /// - Parameter detail: what stands at the end of the line.
  func show(
    _ progress: MeasurementPlan.Progress, _ action: String = "analyzing", _ unit: String = "pieces",
    _ detail: String = ""
  ) {
    show(isLast: progress.done >= progress.total) {
      Self.text(progress, action, unit, elapsed: $0) + (detail.isEmpty ? "" : "  " + detail)
    }
  }

  /// Shows a line, if enough time has passed since the last one.
  func show(_ text: String) { show(isLast: false) { _ in text } }

  /// Shows what `text` makes of the seconds since the start; the last line in any case.
  private func show(isLast: Bool, _ text: (TimeInterval) -> String) {
    state.withLock { state in
      let now = Date()
      if let last = state.lastShown, now.timeIntervalSince(last) < interval, !isLast { return }
      let elapsed = now.timeIntervalSince(state.start)
      // A log gets no line for work that takes less than one interval.
      if !Console.errorIsTerminal, elapsed < interval { return }
      state.lastShown = now
      if Console.errorIsTerminal {
        state.isDrawn = true
        // A line that is wrapped could not be taken off again.
        Console.draw("\r\u{1B}[2K\(text(elapsed).prefix(Console.errorWidth - 1))")
      } else {
        Console.error(text(elapsed))
      }
    }
  }

  /// Takes the line off the terminal, so that what follows begins on a clean one.
  func clear() {
    state.withLock { state in
      if state.isDrawn { Console.draw("\r\u{1B}[2K") }
      state.isDrawn = false
    }
  }

  static func text(
    _ progress: MeasurementPlan.Progress, _ action: String = "analyzing", _ unit: String = "pieces",
    elapsed: TimeInterval
  ) -> String {
    let percent = progress.total == 0 ? 100 : 100 * progress.done / progress.total
    var text = "\(action) \(progress.done)/\(progress.total) (\(percent) %)"
    let fresh = progress.done - progress.resumed
    guard fresh > 0, elapsed > 0 else { return text }
    let rate = Double(fresh) / elapsed
    let left = Double(progress.total - progress.done) / rate
    text += String(format: "  %.1f ", rate) + unit + "/s"
    return progress.done < progress.total ? text + "  \(duration(left)) left" : text
  }

  private static func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded(.up))
    return whole < 60
      ? "\(whole) s" : whole < 3600 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole / 60 % 60) min"
  }
}
