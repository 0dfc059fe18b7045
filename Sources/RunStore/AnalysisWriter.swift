import Diagnosis
import Spectra
import Weights

/// Lays an analysis out over steps and modules, and writes it to the root of a file.
struct AnalysisWriter {
  private let analysis: Analysis
  private let grid: AnalysisGrid
  private var steps: [Int] { grid.steps }
  private var modules: [String] { grid.modules }

  /// The datasets that label dimensions.
  private struct Scales: ~Copyable {
    var step: HDF5Dataset
    var module: HDF5Dataset
    var index: HDF5Dataset
  }

  /// Throws when the layout cannot hold the rows; `path` is for messages.
  init(_ analysis: Analysis, path: String) throws(FileError) {
    self.analysis = analysis
    grid = try AnalysisGrid(analysis, path: path)
    for row in analysis.rows where row.metrics[.rows] == nil || row.metrics[.columns] == nil {
      throw AnalysisGrid.refusal(
        of: row, "expected the matrix's shape in rows and columns, found none", path: path)
    }
  }

  /// Writes everything to the root of a file.
  func write(to root: borrowing HDF5Group) throws(FileError) {
    try root.setAttribute("NX_class", "NXroot")
    try root.setAttribute("default", "analysis")
    try AnalysisFile.format.write(to: root)
    try writeOrigin(to: root)
    try writeContent(to: root)
    if let training = analysis.training { try TrainingFile.write(training, to: root) }
  }

  /// Writes everything to the root of a file that holds other things too; where the analysis comes from are then attributes of its
  /// group, and the trainer's log is in that group.
  func write(besideOthersTo root: borrowing HDF5Group) throws(FileError) {
    try writeContent(to: root)
    let group = try root.group("analysis")
    try writeOrigin(to: group)
    if let training = analysis.training { try TrainingFile.write(training, to: group) }
  }

  private func writeContent(to root: borrowing HDF5Group) throws(FileError) {
    let group = try root.createGroup("analysis")
    try group.setAttribute("NX_class", "NXentry")
    if let first = grid.deltas.first { try group.setAttribute("default", first.delta.rawValue) }
    let scales = try writeScales(in: group)
    for rows in grid.deltas {
      try write(rows, in: try group.createGroup(rows.delta.rawValue), scales: scales)
    }
    if !analysis.baseNorms.isEmpty { try writeBase(in: try group.createGroup("base"), scales: scales) }
    if analysis.rows.contains(where: { !$0.updatedValues.isEmpty }) {
      try writeUpdated(in: try group.createGroup("updated"), scales: scales)
    }
    if analysis.rows.contains(where: { !$0.profile.isEmpty }) {
      try writeProfiles(in: try group.createGroup("profiles"), scales: scales)
    }
    let path = root.location.path
    try root.write(text: try FindingsJSON.text(of: analysis.findings, path: path), named: "findings")
    try root.write(text: try FindingsJSON.text(of: analysis.noticed, path: path), named: "noticed")
    try root.write(text: try SetupJSON.text(of: analysis.setup, path: path), named: "setup")
  }

  private func writeOrigin(to group: borrowing HDF5Group) throws(FileError) {
    for (name, field) in AnalysisOrigin.attributes {
      try group.setAttribute(name, analysis.origin[keyPath: field])
    }
    if !analysis.origin.mixedKernels.isEmpty {
      try group.setAttribute(AnalysisOrigin.mixedKernels, analysis.origin.mixedKernels)
    }
  }

  private func writeScales(in group: borrowing HDF5Group) throws(FileError) -> Scales {
    let width = analysis.rows.map(\.singularValues.count).max() ?? 0
    let scales = Scales(
      step: try group.write(steps, shape: [steps.count], named: "step"),
      module: try group.write(modules, named: "module"),
      index: try group.write(Array(0..<width), shape: [width], named: "index"))
    try scales.step.makeScale("step")
    try scales.step.setAttribute("long_name", "training step")
    try scales.module.makeScale("module")
    try scales.index.makeScale("index")
    return scales
  }

  private func write(
    _ rows: AnalysisGrid.Rows, in group: borrowing HDF5Group, scales: borrowing Scales
  ) throws(FileError) {
    try group.link("step", to: scales.step)
    try group.link("module", to: scales.module)
    try group.link("index", to: scales.index)
    let metrics = rows.metrics
    for metric in metrics {
      let values = grid.laidOut(rows) { $0.metrics[metric] }
      let dataset = try group.write(values, shape: [steps.count, modules.count], named: metric.rawValue)
      try dataset.attach(scales.step, toDimension: 0)
      try dataset.attach(scales.module, toDimension: 1)
    }
    let methods = grid.laidOut(rows, text: \.method)
    let method = try group.write(methods, shape: [steps.count, modules.count], named: "method")
    try method.attach(scales.step, toDimension: 0)
    try method.attach(scales.module, toDimension: 1)
    try writeSingularValues(rows, in: group, scales: scales)
    try writePlot(of: rows.delta, metrics: metrics, group)
  }

  private func writeSingularValues(
    _ rows: AnalysisGrid.Rows, in group: borrowing HDF5Group, scales: borrowing Scales
  ) throws(FileError) {
    let width = try scales.index.shape()[0]
    let values = grid.laidOut(rows, width: width) { $0.singularValues }
    let dataset = try group.write(values, shape: [steps.count, modules.count, width], named: "singular_values")
    try dataset.attach(scales.step, toDimension: 0)
    try dataset.attach(scales.module, toDimension: 1)
    try dataset.attach(scales.index, toDimension: 2)
  }

  /// What NeXus viewers draw by themselves: the size of the update over the steps, a module at a time.
  private func writePlot(
    of delta: Delta, metrics: [Metric], _ group: borrowing HDF5Group
  ) throws(FileError) {
    let signal = [Metric.relativeNorm, .frobeniusNorm, .rows].first(where: metrics.contains)!
    try group.setAttribute("NX_class", "NXdata")
    try group.setAttribute("signal", signal.rawValue)
    // A dot is NeXus's word for an axis without values: h5web refuses to draw with an axis of text.
    try group.setAttribute("axes", ["step", "."])
    // A line over the steps for one module, with a slider for the others; over the modules where there is one step alone.
    try group.dataset(signal.rawValue).setAttribute("interpretation", "spectrum")
    try group.setAttribute("default_slice", steps.count > 1 ? [".", "0"] : ["0", "."])
    try group.setAttribute("SILX_style", #"{"signal_scale_type":"log"}"#)
    try group.dataset(signal.rawValue).setAttribute(
      "long_name", signal == .relativeNorm ? "‖ΔW‖ / ‖W₀‖" : signal.rawValue)
    try group.write(text: "Weight change since \(delta.reference)", named: "title")
  }

  private func writeBase(in group: borrowing HDF5Group, scales: borrowing Scales) throws(FileError) {
    try group.link("module", to: scales.module)
    let norms = modules.map { analysis.baseNorms[$0] ?? .nan }
    try group.write(norms, shape: [norms.count], named: "frobenius_norm").attach(scales.module, toDimension: 0)
    guard !analysis.baseValues.isEmpty else { return }
    let (values, width) = grid.baseValues(of: analysis)
    let index = try indexScale(of: width, in: group)
    let dataset = try group.write(values, shape: [modules.count, width], named: "singular_values")
    try dataset.attach(scales.module, toDimension: 0)
    try dataset.attach(index, toDimension: 1)
  }

  /// The spectra of W₀ + ΔW, longer than those of updates and with an index of their own.
  private func writeUpdated(in group: borrowing HDF5Group, scales: borrowing Scales) throws(FileError) {
    try group.link("step", to: scales.step)
    try group.link("module", to: scales.module)
    let rows = grid.deltas.first { $0.delta == .pretrained }!
    let index = try indexScale(of: rows.places.map(\.row.updatedValues.count).max() ?? 0, in: group)
    let width = try index.shape()[0]
    let values = grid.laidOut(rows, width: width) { $0.updatedValues }
    let dataset = try group.write(values, shape: [steps.count, modules.count, width], named: "singular_values")
    try dataset.attach(scales.step, toDimension: 0)
    try dataset.attach(scales.module, toDimension: 1)
    try dataset.attach(index, toDimension: 2)
  }

  private func indexScale(of width: Int, in group: borrowing HDF5Group) throws(FileError) -> HDF5Dataset {
    let index = try group.write(Array(0..<width), shape: [width], named: "index")
    try index.makeScale("index")
    return index
  }

  /// Shares of the ten bins and the null space, and what chance gives, for each delta and side.
  private func writeProfiles(in group: borrowing HDF5Group, scales: borrowing Scales) throws(FileError) {
    let width = ProfileBin.count + 1
    let bin = try group.write(Array(0..<width), shape: [width], named: "bin")
    try bin.makeScale("bin")
    for rows in grid.deltas where rows.places.contains(where: { !$0.row.profile.isEmpty }) {
      let target = try group.createGroup(rows.delta.rawValue)
      try target.link("step", to: scales.step)
      try target.link("module", to: scales.module)
      try target.link("bin", to: bin)
      for side in Side.allCases {
        for (name, value) in AnalysisFile.profileDatasets(side) {
          let values = grid.profile(rows, side, value)
          let dataset = try target.write(values, shape: [steps.count, modules.count, width], named: name)
          try dataset.attach(scales.step, toDimension: 0)
          try dataset.attach(scales.module, toDimension: 1)
          try dataset.attach(bin, toDimension: 2)
        }
      }
    }
  }
}

extension AnalysisOrigin {
  /// The fields and the root attributes that hold them.
  static var attributes: [(name: String, field: WritableKeyPath<AnalysisOrigin, String>)] {
    [
      ("created_by", \.createdBy), ("source", \.source), ("base", \.base), ("depth", \.depth),
      ("coverage", \.coverage),
    ]
  }

  /// The attribute that is there only where there are several.
  static let mixedKernels = "mixed_kernels"
}

extension Delta {
  /// What the update is measured from, in words.
  fileprivate var reference: String {
    switch self {
    case .initial: "initialisation"
    case .initialMagnitude: "initialisation, by the magnitudes"
    case .initialDirection: "initialisation, but for the magnitudes"
    case .pretrained: "pretraining"
    case .previous: "the previous checkpoint"
    }
  }
}
