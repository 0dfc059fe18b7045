import Adapters
import Measurement
import TestSupport
import Testing

/// Every method × delta × column against an independent implementation, on adapters that Hugging Face PEFT has written.
@Suite struct ReferenceTests {
  @Test(arguments: ReferenceCase.all) func everyColumnAndSingularValueAgrees(_ reference: ReferenceCase) throws {
    let folder = try TemporaryFolder()
    let options = MeasurementOptions(
      source: reference.source, base: reference.base, initial: reference.initial,
      method: reference.method.flatMap(AdapterMethod.init(rawValue:)), jobs: 2, output: folder.path("analysis.h5"))
    let outcome = try MeasurementPlan(options).run(options)
    #expect(outcome.damaged == 0)
    let comparison = ReferenceComparison(
      analysis: outcome.analysis,
      isRecomputed: reference.initial == nil && ["pissa-f32", "pissa-bf16"].contains(reference.name))
    try comparison.checkModules(reference)
    try comparison.checkSingularValues(reference.singularValuesTable)
    try comparison.checkProfiles(reference)
    try comparison.checkUpdatedValues(reference)
  }
}
