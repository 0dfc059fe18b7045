/// The version of rules and bounds together, by which their errors are recorded.
package enum DetectorVersion {
  /// Raised with every change that makes a verdict another.
  package static let current = 2
}
