import Foundation

/// What seconds are of.
enum Clock: String {
  /// The time that passes, whoever else uses the machine.
  case wall
  /// The time that the process's threads were running, together: what wall time would be on a quiet core.
  case processor

  func seconds() -> Double {
    var time = timespec()
    clock_gettime(self == .wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// The seconds that `work` takes, and what it returns.
  func time<Result>(_ work: () throws -> Result) rethrows -> (seconds: Double, result: Result) {
    let began = seconds()
    let result = try work()
    return (seconds() - began, result)
  }
}
