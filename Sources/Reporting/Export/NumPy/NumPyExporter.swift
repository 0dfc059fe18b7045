import Diagnosis
import RunStore
import Spectra
import Weights

/// NumPy's `spectra.npz`: dense arrays under the names that they have in an analysis file, NaN for "missing".
enum NumPyExporter: Exporter {
  static func export(
    _ analysis: Analysis, training: TrainingRecords?, to folder: String
  ) throws(FileError) -> [String] {
    let path = folder + "/spectra.npz"
    var file = PendingFile(for: path)
    try file.write(ZipArchive(try arrays(of: analysis, training: training, path: path)))
    try file.commit()
    return [path]
  }

  /// The arrays, each made when it is written.
  private static func arrays(
    of analysis: Analysis, training: TrainingRecords?, path: String
  ) throws(FileError) -> [ZipArchive.Entry] {
    let grid = try AnalysisGrid(analysis, path: path)
    return [entry("step") { NumPyArray(grid.steps) }, entry("module") { names(grid.modules) }]
      + grid.deltas.flatMap { metrics(of: $0, in: grid) + singularValues(of: $0, in: grid) }
      + base(of: analysis, in: grid) + updated(in: grid) + grid.deltas.flatMap { profiles(of: $0, in: grid) }
      + (training.map(columns) ?? [])
  }

  private static func entry(_ name: String, _ array: @escaping () -> NumPyArray) -> ZipArchive.Entry {
    ZipArchive.Entry(name: name + ".npy") { array().bytes }
  }

  private static func names(_ names: [String]) -> NumPyArray { NumPyArray(names, shape: [names.count]) }

  private static func metrics(of rows: AnalysisGrid.Rows, in grid: AnalysisGrid) -> [ZipArchive.Entry] {
    let shape = [grid.steps.count, grid.modules.count]
    let delta = rows.delta.rawValue
    return [entry("\(delta)/method") { NumPyArray(grid.laidOut(rows, text: \.method), shape: shape) }]
      + rows.metrics.map { metric in
        entry("\(delta)/\(metric.rawValue)") { NumPyArray(grid.laidOut(rows) { $0.metrics[metric] }, shape: shape) }
      }
  }

  private static func singularValues(of rows: AnalysisGrid.Rows, in grid: AnalysisGrid) -> [ZipArchive.Entry] {
    let width = rows.places.map(\.row.singularValues.count).max() ?? 0
    return [
      entry("\(rows.delta.rawValue)/singular_values") {
        NumPyArray(
          grid.laidOut(rows, width: width) { $0.singularValues }, shape: [grid.steps.count, grid.modules.count, width])
      }
    ]
  }

  private static func base(of analysis: Analysis, in grid: AnalysisGrid) -> [ZipArchive.Entry] {
    var entries: [ZipArchive.Entry] = []
    if !analysis.baseNorms.isEmpty {
      entries.append(
        entry("base/frobenius_norm") {
          NumPyArray(grid.modules.map { analysis.baseNorms[$0] ?? .nan }, shape: [grid.modules.count])
        })
    }
    if !analysis.baseValues.isEmpty {
      entries.append(
        entry("base/singular_values") {
          let (values, width) = grid.baseValues(of: analysis)
          return NumPyArray(values, shape: [grid.modules.count, width])
        })
    }
    return entries
  }

  /// The spectra of W₀ + ΔW.
  private static func updated(in grid: AnalysisGrid) -> [ZipArchive.Entry] {
    guard let rows = grid.deltas.first(where: { $0.delta == .pretrained }) else { return [] }
    let width = rows.places.map(\.row.updatedValues.count).max() ?? 0
    guard width > 0 else { return [] }
    return [
      entry("updated/singular_values") {
        NumPyArray(
          grid.laidOut(rows, width: width) { $0.updatedValues }, shape: [grid.steps.count, grid.modules.count, width])
      }
    ]
  }

  private static func profiles(of rows: AnalysisGrid.Rows, in grid: AnalysisGrid) -> [ZipArchive.Entry] {
    guard rows.places.contains(where: { !$0.row.profile.isEmpty }) else { return [] }
    let shape = [grid.steps.count, grid.modules.count, ProfileBin.count + 1]
    return Side.allCases.flatMap { side in
      let name = "profiles/\(rows.delta.rawValue)/\(side.rawValue)"
      return [
        entry(name) { NumPyArray(grid.profile(rows, side) { $0.share }, shape: shape) },
        entry(name + "_null") { NumPyArray(grid.profile(rows, side) { $0.null }, shape: shape) },
      ]
    }
  }

  /// The columns of the table of training.
  private static func columns(of training: TrainingRecords) -> [ZipArchive.Entry] {
    AnalysisTable.training(training).columns.compactMap { column in
      let name = "training/" + column.name
      return switch column.values {
      case .integers(let values): entry(name) { NumPyArray(values.compactMap(\.self)) }
      case .numbers(let values): entry(name) { NumPyArray(values.map { $0 ?? .nan }, shape: [values.count]) }
      case .texts: nil
      }
    }
  }
}
