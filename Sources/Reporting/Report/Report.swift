import Diagnosis
import RunStore
import Weights

/// What a report shows: runs, what they are beside one another, a grid of runs, and how it was made.
package struct Report: Sendable {
  package let runs: [ReportRun]
  /// Of several runs that can be compared.
  package let comparison: Comparison?
  /// Why several runs cannot be compared.
  package let whyNotCompared: String?
  /// Of runs of which method and learning rate are known, where there are two learning rates or more.
  package let map: RunMap?
  /// Runs of a grid that have no analysis, by their paths.
  package let notAnalysed: [String]
  /// The paths of runs that are analysis files by themselves, and not in a run.
  package let analysisFiles: Set<String>
  /// The command that makes the same page again.
  package let command: [String]
  /// The program's version.
  package let version: String

  /// - Parameter runs: analysed runs.
  /// - Parameter others: what is known of runs of a grid, analysed or not.
  /// - Parameter notAnalysed: paths of those that are on the map alone.
  /// - Parameter analysisFiles: paths among those of `runs` that lie outside of a run.
  /// - Parameter command: the program's arguments, without its name.
  package init(
    _ runs: [ComparedRun], others: [MappedRun] = [], notAnalysed: [String] = [], analysisFiles: Set<String> = [],
    command: [String], version: String
  ) {
    self.runs = runs.map(ReportRun.init)
    self.notAnalysed = notAnalysed
    self.analysisFiles = analysisFiles
    self.command = command
    self.version = version
    (comparison, whyNotCompared) = Self.compared(runs)
    map = RunMap(others.isEmpty ? self.runs.compactMap(MappedRun.init) : others)
  }

  private static func compared(_ runs: [ComparedRun]) -> (Comparison?, String?) {
    guard runs.count > 1 else { return (nil, nil) }
    do throws(FileError) {
      return (try Comparison(runs), nil)
    } catch {
      return (nil, "\(error)")
    }
  }
}
