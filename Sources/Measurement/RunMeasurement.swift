import Adapters
import RunStore
import Weights

extension MeasurementOptions {
  /// What measures a run of our own. These are all the steps there are:
  ///
  ///     let run = try ExtractedRun(of: folder)
  ///     let options = try MeasurementOptions(run: run, base: base)
  ///     let outcome = try MeasurementPlan(options).run(options)
  ///
  /// - Parameter base: the base model's folder; the plan holds it against the base that the run recorded.
  /// - Parameter method: overrides what the run says.
  /// - Parameter output: the analysis file; by default the run's own.
  /// - Throws: `FileError.badContent` for a run of a method that is not analysed.
  package init(
    run: ExtractedRun, base: String, initial: String? = nil, method: AdapterMethod? = nil,
    depth: MeasurementDepth = .auto, basis: BasisFolder? = nil, directions: Int? = nil, jobs: Int = 1,
    output: String? = nil
  ) throws(FileError) {
    guard let recorded = PEFTFolder.method(named: run.identity.method) else {
      throw FileError(
        .badContent, path: run.path, object: "method",
        "expected a method that is analysed, found \(FileError.quoted(run.identity.method)), which is not yet",
        remedy: "Analysed so far: \(PEFTMethods.analysed), and full fine-tuning")
    }
    self.init(
      source: run.folder, base: base, initial: initial,
      method: method ?? (recorded.method == .full ? nil : run.identity.givenMethod),
      depth: depth, basis: basis, directions: directions, jobs: jobs,
      output: output ?? run.path + "/" + RunLayout.analysis)
    self.run = run
  }

  /// Throws unless `base` has the digest that the run recorded, if it recorded one. Reads the whole base.
  func requireRecordedBase(_ base: BaseModel) throws(FileError) {
    guard let run, let problem = try run.differenceOfBase(base) else { return }
    throw FileError(
      .badContent, path: base.path, problem,
      remedy:
        "Pass the base that the run was trained on with --base; it recorded \(FileError.quoted(run.identity.base))")
  }
}

extension ExtractedRun {
  /// LoRA+: how many times as fast as A B learned; nil where the run does not say.
  var rateRatio: Double? { identity.configuration["lora_plus_ratio"]?.double }

  /// What tells `base` from the one that the run recorded; nil where they are the same, or where the run does not know.
  package func differenceOfBase(_ base: BaseModel) throws(FileError) -> String? {
    guard !identity.baseID.isEmpty else { return nil }
    let found = try BaseIdentity.sha256(of: base)
    if found == identity.baseID { return nil }
    return "expected the base of \(path), with the sha256 \(FileError.head(ofDigest: identity.baseID)), "
      + "found one with \(FileError.head(ofDigest: found))"
  }
}

extension MeasurementOptions {
  /// A text, error or remark that names the files of the run rather than their temporary copies.
  func named(_ error: FileError) -> FileError { run?.named(error) ?? error }
  func named(_ remark: AdapterRemark) -> AdapterRemark { run?.named(remark) ?? remark }
}
