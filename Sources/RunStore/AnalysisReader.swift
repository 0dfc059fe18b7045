import Diagnosis
import Spectra
import Weights

/// Reads an analysis file and holds what was in it.
struct AnalysisReader {
  private(set) var analysis = Analysis()
  private var steps: [Int] = []
  private var modules: [String] = []

  init(path: String) throws(FileError) {
    let root = try HDF5File.open(path).root()
    try AnalysisFile.format.require(of: root)
    try readOrigin(of: root)
    try readContent(of: root)
    try readTraining(in: root)
  }

  /// Reads the analysis of a file that holds other things too, from its root.
  init(besideOthersIn root: borrowing HDF5Group) throws(FileError) {
    let group = try root.group("analysis")
    try readOrigin(of: group)
    try readContent(of: root)
    try readTraining(in: group)
  }

  private mutating func readOrigin(of group: borrowing HDF5Group) throws(FileError) {
    for (name, field) in AnalysisOrigin.attributes {
      analysis.origin[keyPath: field] = try group.text(name) ?? ""
    }
    analysis.origin.mixedKernels = try group.texts(AnalysisOrigin.mixedKernels) ?? []
  }

  private mutating func readTraining(in group: borrowing HDF5Group) throws(FileError) {
    if try group.contains("training") { analysis.training = try TrainingFile.read(from: group) }
  }

  private mutating func readContent(of root: borrowing HDF5Group) throws(FileError) {
    let group = try root.group("analysis")
    steps = try group.dataset("step").read()
    modules = try group.dataset("module").readTexts()
    try requireLabels(group)
    for delta in Delta.allCases where try group.contains(delta.rawValue) {
      var found = try rows(of: delta, in: try group.group(delta.rawValue))
      if try group.contains("profiles") { try addProfiles(to: &found, delta, in: try group.group("profiles")) }
      if delta == .pretrained, try group.contains("updated") {
        try addUpdatedValues(to: &found, in: try group.group("updated"))
      }
      analysis.rows += found
    }
    let place = Dictionary(uniqueKeysWithValues: zip(modules, modules.indices))
    analysis.rows.sort { ($0.step, place[$0.module]!, $0.delta) < ($1.step, place[$1.module]!, $1.delta) }
    if try group.contains("base") { try readBaseNorms(in: try group.group("base")) }
    analysis.findings = try FindingsJSON.findings(in: try root.dataset("findings"))
    // Files of earlier versions hold nothing but what reading made.
    analysis.noticed =
      try root.contains("noticed") ? FindingsJSON.findings(in: try root.dataset("noticed")) : analysis.findings
    if try root.contains("setup") { analysis.setup = try SetupJSON.setup(in: try root.dataset("setup")) }
  }

  /// Labels stand for rows, so each may occur only once.
  private func requireLabels(_ group: borrowing HDF5Group) throws(FileError) {
    guard Set(steps).count == steps.count else {
      throw group.location.child("step").error("expected different steps, found one twice")
    }
    guard Set(modules).count == modules.count else {
      throw group.location.child("module").error("expected different modules, found one twice")
    }
  }

  private func rows(of delta: Delta, in group: borrowing HDF5Group) throws(FileError) -> [SpectrumRow] {
    let grid = [steps.count, modules.count]
    // Read first and in any case: it proves that the file is as big as the grid, and says where the rows are.
    let present = try numbers(in: try group.dataset(Metric.rows.rawValue), shape: grid)
    let positions = present.indices.filter { !present[$0].isNaN }
    var metrics = [MetricValues](repeating: MetricValues(), count: positions.count)
    for metric in Metric.allCases where try group.contains(metric.rawValue) {
      let values = try numbers(in: try group.dataset(metric.rawValue), shape: grid)
      for (row, position) in positions.enumerated() { metrics[row][metric] = values[position] }
    }
    let methods = try texts(in: try group.dataset("method"), count: steps.count * modules.count)
    let spectra = try group.dataset("singular_values")
    let width = try spectra.shape().last ?? 0
    let values = try numbers(in: spectra, shape: grid + [width])
    return zip(positions, metrics).map { position, metrics in
      let (step, module) = position.quotientAndRemainder(dividingBy: modules.count)
      return SpectrumRow(
        step: steps[step], module: modules[module], method: methods[position], delta: delta, metrics: metrics,
        singularValues: unpadded(values, position, width: width))
    }
  }

  private mutating func readBaseNorms(in group: borrowing HDF5Group) throws(FileError) {
    let norms = try numbers(in: try group.dataset("frobenius_norm"), shape: [modules.count])
    for (module, norm) in zip(modules, norms) where !norm.isNaN { analysis.baseNorms[module] = norm }
    guard try group.contains("singular_values") else { return }
    let spectra = try group.dataset("singular_values")
    let width = try spectra.shape().last ?? 0
    let values = try numbers(in: spectra, shape: [modules.count, width])
    for (place, module) in modules.enumerated() {
      let found = unpadded(values, place, width: width)
      if !found.isEmpty { analysis.baseValues[module] = found }
    }
  }

  private func position(of row: SpectrumRow) -> Int {
    steps.firstIndex(of: row.step)! * modules.count + modules.firstIndex(of: row.module)!
  }

  private func addUpdatedValues(to rows: inout [SpectrumRow], in group: borrowing HDF5Group) throws(FileError) {
    let spectra = try group.dataset("singular_values")
    let width = try spectra.shape().last ?? 0
    let values = try numbers(in: spectra, shape: [steps.count, modules.count, width])
    for index in rows.indices { rows[index].updatedValues = unpadded(values, position(of: rows[index]), width: width) }
  }

  private func addProfiles(
    to rows: inout [SpectrumRow], _ delta: Delta, in group: borrowing HDF5Group
  ) throws(FileError) {
    guard try group.contains(delta.rawValue) else { return }
    let target = try group.group(delta.rawValue)
    let width = ProfileBin.count + 1
    for side in Side.allCases {
      let parts = try AnalysisFile.profileDatasets(side).map { part throws(FileError) in
        try numbers(in: try target.dataset(part.name), shape: [steps.count, modules.count, width])
      }
      for index in rows.indices {
        let first = position(of: rows[index]) * width
        let order = Int(min(rows[index].metrics[.rows] ?? 0, rows[index].metrics[.columns] ?? 0))
        let ranges = Dictionary(uniqueKeysWithValues: ProfileBin.ranges(order: order).map { ($0.bin, $0.components) })
        for bin in 0..<width where !parts[1][first + bin].isNaN {
          let share = parts[0][first + bin]
          rows[index].profile.append(
            ProfileBin(
              side: side, bin: bin, components: ranges[bin].map { $0.lowerBound...$0.upperBound - 1 },
              share: share.isNaN ? nil : share, null: parts[1][first + bin]))
        }
      }
    }
  }

  /// The values of one place of an array that is padded with NaN.
  private func unpadded(_ values: [Double], _ place: Int, width: Int) -> [Double] {
    let padded = values[place * width..<(place + 1) * width]
    let count = padded.lastIndex { !$0.isNaN }.map { $0 + 1 - padded.startIndex } ?? 0
    return Array(padded.prefix(count))
  }

  private func numbers(in dataset: borrowing HDF5Dataset, shape: [Int]) throws(FileError) -> [Double] {
    let found = try dataset.shape()
    guard found == shape else { throw dataset.location.error("expected shape \(shape), found \(found)") }
    return try dataset.read()
  }

  private func texts(in dataset: borrowing HDF5Dataset, count: Int) throws(FileError) -> [String] {
    let texts = try dataset.readTexts()
    guard texts.count == count else { throw dataset.location.error("expected \(count) texts, found \(texts.count)") }
    return texts
  }
}
