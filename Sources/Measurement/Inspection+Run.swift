import Adapters
import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Weights

extension Inspection {
  /// What a run is, whether its base is where the run says, and what is wrong with its files.
  mutating func describeRun(
    _ run: ExtractedRun, locateBase: (String) throws(FileError) -> String
  ) throws(FileError) {
    let identity = run.identity
    facts["method"] = .string(identity.method)
    facts["rank"] = identity.rank.map(JSONValue.integer)
    facts["alpha"] = identity.alpha.map(JSONValue.number)
    facts["scaling"] = identity.scaling.map(JSONValue.number)
    facts["seed"] = .integer(identity.seed)
    facts["task"] = .string(identity.task)
    facts["steps"] = .array(run.steps.map(JSONValue.integer))
    let series = try openedSeries(of: run)
    if let last = series?.checkpoints.last?.adapter { describeModules(of: last) }
    describeRecords(of: run)
    facts["base"] = .string(identity.base)
    let base = try? BaseModel(path: locateBase(identity.base))
    facts["base found"] = .bool(base != nil)
    facts["written by"] = .string(identity.createdBy)
    facts["analysed"] = .bool(FileManager.default.fileExists(atPath: run.files + "/" + RunLayout.analysis))
    if series == nil { facts["note"] = .string("\(identity.method) is not analysed yet") }
    // That there is no index is odd; one that is there and cannot be read is broken.
    if let problem = run.indexError, problem.kind != .cannotOpen { fail(problem) }
    var remarks = run.remarks
    if let series { remarks += (series.remarks + series.remarksOnValues()).map { run.named($0) } }
    if let base, let difference = try run.differenceOfBase(base) {
      remarks.append(AdapterRemark(.baseDiffers, "\(base.path): \(difference). Were its weights changed since?"))
    }
    findings = Finding.findings(from: remarks)
  }

  /// The sound checkpoints with their adapters opened; nil for a method whose adapters are not read yet.
  private func openedSeries(of run: ExtractedRun) throws(FileError) -> OpenedSeries? {
    guard PEFTFolder.method(named: run.identity.method) != nil else { return nil }
    if run.steps.isEmpty, let first = run.damaged.first { throw first.error }
    do throws(FileError) {
      return OpenedSeries(try CheckpointSeries(path: run.folder))
    } catch {
      throw run.named(error)
    }
  }

  private mutating func describeRecords(of run: ExtractedRun) {
    do throws(FileError) {
      let records = try TrainingRecords(path: run.files + "/" + RunLayout.records).records
      facts["records"] = .integer(records.count)
      if let last = records.last { facts["last record"] = .integer(last.step) }
    } catch {
      fail(error)
    }
  }

  /// A part of a run; what there is to say is said of its folder.
  mutating func describeRunFile(_ path: String) {
    if let run = RunLayout.run(holding: path) { facts["run"] = .string(run) }
    facts["note"] = "pass the run's folder"
  }
}
