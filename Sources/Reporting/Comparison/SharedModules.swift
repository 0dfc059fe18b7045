import Adapters
import RunStore
import Spectra
import Weights

/// The modules that all runs have, and whether their numbers can be held against one another.
package struct SharedModules: Sendable {
  /// In natural order; never empty.
  package let names: [String]
  /// How many modules only some of the runs have.
  package let leftOut: Int
  /// ‖W₀‖_F by module, where any analysis knows it.
  package let baseNorms: [String: Double]
  /// Where two runs looked at different numbers of directions; nil where k is the same everywhere.
  package let difference: DirectionDifference?

  /// A module for which k differs between runs.
  package struct DirectionDifference: Equatable, Sendable {
    package var module: String
    /// The smallest and the largest k of that module.
    package var smallest: Int
    package var largest: Int
    /// The smallest k of any common module in any run, which all runs can be analysed with.
    package var remedy: Int

    package init(module: String, smallest: Int, largest: Int, remedy: Int) {
      (self.module, self.smallest, self.largest, self.remedy) = (module, smallest, largest, remedy)
    }
  }

  /// - Throws: `.badContent` where the runs have no module in common, or a module has another shape or another ‖W₀‖_F, by more than 1e-6
  ///   of it, in two of them.
  package init(_ runs: [ComparedRun]) throws(FileError) {
    let modules = runs.map { Set($0.analysis.rows.map(\.module)) }
    let common = modules.dropFirst().reduce(modules[0]) { $0.intersection($1) }
    guard !common.isEmpty else { throw Self.nothingInCommon(runs) }
    names = common.sorted(by: NaturalOrder.precedes)
    leftOut = modules.reduce(into: Set()) { $0.formUnion($1) }.count - common.count
    let found = runs.map { run in
      Dictionary(run.analysis.rows.map { ($0.module, $0) }, uniquingKeysWith: { first, _ in first })
    }
    baseNorms = try Self.baseNorms(of: names, runs, found)
    difference = Self.difference(of: names, found.map { $0.compactMapValues { $0.metrics[.k] } })
  }

  private static func nothingInCommon(_ runs: [ComparedRun]) -> FileError {
    let empty = runs.first { $0.analysis.rows.isEmpty }
    return FileError(
      .badContent, path: (empty ?? runs[1]).path,
      empty == nil
        ? "expected modules that all runs have, found none in common with \(runs[0].path)"
        : "expected an analysis with rows, found none in it",
      remedy: empty == nil ? "Compare runs over the same base with the same targets" : "`spectroscope inspect` says why"
    )
  }

  private static func baseNorms(
    of names: [String], _ runs: [ComparedRun], _ found: [[String: SpectrumRow]]
  ) throws(FileError) -> [String: Double] {
    var norms: [String: Double] = [:]
    for module in names {
      var first: (run: Int, norm: Double)?
      for index in runs.indices {
        try requireShape(of: module, runs, found, index)
        guard let norm = norm(of: module, runs[index], found[index]) else { continue }
        guard let known = first else {
          (first, norms[module]) = ((index, norm), norm)
          continue
        }
        guard abs(norm - known.norm) <= 1e-6 * max(norm, known.norm) else {
          throw otherBase(module, (runs[index], norm), (runs[known.run], known.norm))
        }
      }
    }
    return norms
  }

  /// ‖W₀‖_F as the file has it, or as its rows imply.
  private static func norm(of module: String, _ run: ComparedRun, _ rows: [String: SpectrumRow]) -> Double? {
    if let norm = run.analysis.baseNorms[module] { return norm }
    guard let metrics = rows[module]?.metrics, let size = metrics[.frobeniusNorm],
      let ratio = metrics[.relativeNorm], ratio > 0
    else { return nil }
    return size / ratio
  }

  private static func requireShape(
    of module: String, _ runs: [ComparedRun], _ found: [[String: SpectrumRow]], _ index: Int
  ) throws(FileError) {
    func shape(_ index: Int) -> [Int] {
      [Metric.rows, .columns].compactMap { found[index][module]?.metrics[$0].flatMap { Int(exactly: $0) } }
    }
    guard shape(index) == shape(0) else {
      throw FileError(
        .badContent, path: runs[index].path, object: module,
        "expected the shape \(shape(0)) that it has in \(runs[0].path), found \(shape(index))",
        remedy: "Compare runs over the same base")
    }
  }

  private static func otherBase(
    _ module: String, _ other: (run: ComparedRun, norm: Double), _ first: (run: ComparedRun, norm: Double)
  ) -> FileError {
    let isScaled = [other, first].contains { $0.run.method == AdapterMethod.lnTuning.rawValue }
    return FileError(
      .badContent, path: other.run.path, object: module,
      "expected ‖W₀‖_F = \(first.norm) as in \(first.run.path), found \(other.norm)",
      remedy: isScaled
        ? "LN tuning is measured against W₀ times the gains of a norm, so it can be compared with LN tuning alone"
        : "Compare runs over the same base; analyse PiSSA and MiLoRA against the original one, not their residual")
  }

  private static func difference(of names: [String], _ directions: [[String: Double]]) -> DirectionDifference? {
    func known(_ module: String) -> [Int] { directions.compactMap { $0[module].flatMap { Int(exactly: $0) } } }
    guard let module = names.first(where: { Set(known($0)).count > 1 }) else { return nil }
    return DirectionDifference(
      module: module, smallest: known(module).min()!, largest: known(module).max()!,
      remedy: names.flatMap(known).min()!)
  }
}
