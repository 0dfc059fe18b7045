import Assessment
import Diagnosis
import Testing

struct ReplayTests {
  /// A LoRA of 30 steps whose strides go beyond what alarms at step 10, and whose KL does at step 20.
  private var run: RunEvidence {
    var setup = RunSetup()
    (setup.method, setup.trainer, setup.objective, setup.rank, setup.learningRate) = ("lora", .own, "grpo", 4, 1e-3)
    let bounds = StrideBounds.at(spacing: 1)!
    let alarm = bounds.alarm * bounds.methods["lora"]!.size.value
    let records = (1...30).map { step in
      Timeline.Record(
        step: step,
        values: [
          "update_stride": step < 10 ? 1e-3 : 1.1 * alarm * Stride(step: step, stretch: 1, size: 0, shift: nil).usual,
          "kl_increment": step < 20 ? 0.01 : 2 * BehaviourBound.klVelocity.value, "reward": 0.5,
        ])
    }
    return RunEvidence(rows: [], timeline: Timeline(records), setup: setup)
  }

  @Test func everySightHasItsOwnAlarm() {
    let looks = Array(1...30)
    #expect(Replay(of: run, looks: looks, sight: .weights).alerts == ["SP201": 10])
    // Three of five increments are large at step 22.
    #expect(Replay(of: run, looks: looks, sight: .behaviour).alerts == ["SP404": 22])
    let joint = Replay(of: run, looks: looks, sight: .joint)
    #expect(joint.alerts == ["SP201": 10, "SP404": 22] && joint.alarm == 10)
  }

  /// Nothing is known before it is asked for, nor of what comes later.
  @Test func anAlarmComesWithALook() {
    #expect(Replay(of: run, looks: [5, 15, 25], sight: .joint).alerts == ["SP201": 15, "SP404": 25])
    #expect(Replay(of: run, looks: [5, 9], sight: .joint).alarm == nil)
  }

  @Test func othersDoNotKnowWhatTrainingLogged() {
    #expect(Replay(of: run.withoutLoggedVelocity, looks: Array(1...30), sight: .weights).alarm == nil)
  }
}
