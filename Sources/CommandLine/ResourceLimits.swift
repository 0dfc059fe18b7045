import Foundation

/// The system's limits on this process.
enum ResourceLimits {
  /// Limits a resource for good.
  static func set(_ resource: __rlimit_resource, to value: UInt) {
    var limits = rlimit(rlim_cur: value, rlim_max: value)
    setrlimit(__rlimit_resource_t(resource.rawValue), &limits)
  }

  /// Raises the number of open files to what the system allows: every checkpoint and every shard stays open, and the usual soft
  /// limit of 1,024 is less than a long run has checkpoints.
  static func allowManyFiles() {
    var limits = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return }
    limits.rlim_cur = limits.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
  }
}
