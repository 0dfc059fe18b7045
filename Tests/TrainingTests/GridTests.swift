import Adapters
import Testing
import Training

/// Which runs a grid has, in which order, and when one of them may end early.
@Suite struct GridTests {
  private func grid(_ axes: [GridAxis]) -> Grid { Grid(axes, over: TrainingConfiguration()) }

  private let methods = GridAxis([AdapterMethod.lora, .pissa], name: \.rawValue) { $0.method = $1 }
  private let rates = GridAxis([0.0003, 0.005, 1e-5], name: { "-lr\($0)" }) { $0.learningRate = $1 }
  private let seeds = GridAxis([0, 12], name: { "-seed\($0)" }) { $0.seed = $1 }

  @Test func theLastAxisVariesFastest() {
    let grid = grid([methods, rates, seeds])
    #expect(
      grid.runs.map(\.name) == [
        "lora-lr0.0003-seed0", "lora-lr0.0003-seed12", "lora-lr0.005-seed0", "lora-lr0.005-seed12",
        "lora-lr1e-05-seed0", "lora-lr1e-05-seed12", "pissa-lr0.0003-seed0", "pissa-lr0.0003-seed12",
        "pissa-lr0.005-seed0", "pissa-lr0.005-seed12", "pissa-lr1e-05-seed0", "pissa-lr1e-05-seed12",
      ])
    let last = grid.runs.last!.configuration
    #expect(last.method == .pissa && last.learningRate == 1e-5 && last.seed == 12)
    #expect(last.steps == TrainingConfiguration().steps)
    // A rate in a name reads back exactly.
    #expect(grid.runs.allSatisfy { Double($0.name.split(separator: "lr")[1].split(separator: "-seed")[0]) != nil })
  }

  @Test func anAxisMayHaveNoNameOrNoValues() {
    let unnamed = GridAxis([8] as [Int], isNamed: false, name: { "-rank\($0)" }) { $0.adapter.rank = $1 }
    let empty = GridAxis([Int](), name: { "-rank\($0)" }) { $0.prompts = $1 }
    let runs = grid([methods, unnamed, empty]).runs
    #expect(runs.map(\.name) == ["lora", "pissa"])
    #expect(runs.allSatisfy { $0.configuration.adapter.rank == 8 && $0.configuration.prompts == 16 })
    #expect(grid([]).runs.count == 1)
  }

  @Test func patienceEndsBehindSoManyStepsInARow() {
    var configuration = TrainingConfiguration()
    var never = RewardPatience(configuration)
    #expect((0..<100).allSatisfy { _ in !never.isOver(reward: 0) })
    configuration.zeroRewardPatience = 3
    var patience = RewardPatience(configuration)
    let rewards: [Double?] = [0, 0, 0.1, 0, 0, nil, 0, 0, 0, 0]
    #expect(
      rewards.map { patience.isOver(reward: $0) } == [
        false, false, false, false, false, false, false, false, true, true,
      ])
  }
}
