/// Advantages of the completions of one prompt: (r − mean)/(std + 1e-4) with the sample standard deviation.
///
/// - Returns: nil where all rewards are equal, or there is only one: such a group teaches nothing.
package func groupAdvantages(of rewards: [Double]) -> [Double]? {
  advantages(of: rewards, dividedBy: sampleDeviation(rewards) + 1e-4)
}

/// Advantages of the completions of several prompts, by group.
///
/// - Returns: nil for a group that teaches nothing.
package func advantages(of groups: [[Double]], scaledBy scale: PolicyLossOptions.RewardScale) -> [[Double]?] {
  switch scale {
  case .group: groups.map(groupAdvantages)
  case .batch:
    groups.map { [deviation = sampleDeviation(groups.flatMap { $0 })] in
      advantages(of: $0, dividedBy: deviation + 1e-4)
    }
  case .none: groups.map { advantages(of: $0, dividedBy: 1) }
  }
}

private func advantages(of rewards: [Double], dividedBy divisor: Double) -> [Double]? {
  guard let first = rewards.first, rewards.contains(where: { $0 != first }) else { return nil }
  let mean = mean(rewards)
  return rewards.map { ($0 - mean) / divisor }
}

func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

/// The sample standard deviation; 0 of one value.
func sampleDeviation(_ values: [Double]) -> Double {
  guard values.count > 1 else { return 0 }
  let mean = mean(values)
  return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
}
