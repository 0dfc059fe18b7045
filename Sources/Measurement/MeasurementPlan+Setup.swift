import Adapters
import Diagnosis
import OrderedCollections
import RunStore
import Weights

extension MeasurementPlan {
  /// How the run was set up, as far as its files tell.
  func setup(records: TrainingRecords) -> RunSetup {
    var setup = RunSetup()
    setup.method = method.rawValue
    setup.hasInitial = initial != nil
    setup.subtractsStart = checkpoints.contains(where: \.hasResidualBase)
    let stored = checkpoints.last { $0.adapter.place != initial?.place } ?? checkpoints.last!
    let configuration = stored.adapter.configuration
    setup.start = configuration.startName
    setup.rank = modules.compactMap { $0.appearances.last?.module.configuredRank }.max()
    setup.alpha = configuration.hasAlpha ? configuration.alpha : nil
    setup.learningRate = records.records.compactMap { $0.values["learning_rate"] ?? nil }.max()
    if let run {
      setup.take(run.identity)
      setup.learningRate = Intervention.learningRate(in: run.files) ?? setup.learningRate
    }
    return setup
  }
}

extension MeasurementPlan {
  /// Says of checkpoints with an α of 0 whether there is anything that it silences; reads their factors.
  func remarksOnSilencedFactors() -> [AdapterRemark] {
    var remarks: [AdapterRemark] = []
    for checkpoint in checkpoints {
      let silenced = checkpoint.adapter.modules.filter { !$0.isWhole && $0.scaling == 0 }
      // Of tensors that cannot be used the pieces say why.
      let trained = silenced.count { (try? checkpoint.adapter.isUntrained($0)) == false }
      guard trained > 0 else { continue }
      remarks.append(
        AdapterRemark(
          .trainedUnderAlphaZero, step: checkpoint.step, value: Double(trained),
          "\(trained) module\(trained == 1 ? " holds" : "s hold") trained factors, and α = 0 makes their update zero"))
    }
    return remarks
  }
}
