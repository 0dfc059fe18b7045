import Spectra

extension RunEvidence {
  /// What was known at `step`: spectra and records up to it.
  ///
  /// What was noticed of no single step, and the setup, are those of the whole run.
  package func upTo(_ step: Int) -> RunEvidence {
    RunEvidence(
      rows: rows.filter { $0.step <= step }, reading: reading.filter { $0.step ?? 0 <= step },
      timeline: Timeline(timeline.records.filter { $0.step <= step }), setup: setup, baseNorms: baseNorms)
  }

  /// Without the spectra, and without columns of the log that tell of weights: what a trainer logs that knows nothing of spectra.
  package var behaviourAlone: RunEvidence {
    RunEvidence(
      rows: [], reading: reading, timeline: timeline.keeping { !Self.columnsOfWeights.contains($0) }, setup: setup,
      baseNorms: baseNorms)
  }

  /// Without columns of the log that tell of behaviour; the learning rate stays.
  package var weightsAlone: RunEvidence {
    RunEvidence(
      rows: rows, reading: reading,
      timeline: timeline.keeping { Self.columnsOfWeights.contains($0) || $0 == "learning_rate" },
      setup: setup, baseNorms: baseNorms)
  }

  /// Without the velocities that training itself logged, which other trainers do not have.
  package var withoutLoggedVelocity: RunEvidence {
    RunEvidence(
      rows: rows, reading: reading, timeline: timeline.keeping { !Self.columnsOfWeights.contains($0) }, setup: setup,
      baseNorms: baseNorms)
  }

  /// Without the spectra of checkpoints.
  package var withoutRows: RunEvidence {
    RunEvidence(rows: [], reading: reading, timeline: timeline, setup: setup, baseNorms: baseNorms)
  }

  fileprivate static let columnsOfWeights: Set<String> = [
    "update_velocity", "shift_velocity", "update_stride", "shift_stride", "step_norm", "update_velocity_by_module",
    "shift_velocity_by_module",
  ]
}

extension Timeline {
  fileprivate func keeping(_ isKept: (String) -> Bool) -> Timeline { Timeline(records.map { $0.keeping(isKept) }) }
}

extension Timeline.Record {
  /// As training records a step whose update was refused: without what it tells of the update.
  var refused: Timeline.Record {
    var record = keeping { !RunEvidence.columnsOfWeights.contains($0) }
    record.values["refused"] = 1
    return record
  }

  fileprivate func keeping(_ isKept: (String) -> Bool) -> Timeline.Record {
    Timeline.Record(
      step: step, values: values.filter { isKept($0.key) }, nonFinite: nonFinite.filter(isKept),
      modules: modules.filter { isKept($0.key) })
  }
}
