import Adapters
import Foundation
import Weights

/// The limits of the analysis, each measured through what a user would run.
enum AnalysisWork: String, CaseIterable {
  /// 20 checkpoints, ΔW alone and energies at both ends, beside their products by CBLAS alone.
  case series
  /// The bases of one layer beside the sum of their stages.
  case basis
  /// The memory that the program takes for them beside what it announces.
  case memory
  /// One new checkpoint over a base that is known.
  case update, geometry, full
  case geometry7B = "geometry-7b"

  /// What the program is to reach.
  var target: Target {
    switch self {
    case .series: .timesPeer(1.5)
    case .basis: .timesPeer(1.1)
    case .memory: .timesPeer(1)
    case .update: .atMost(0.5)
    case .geometry: .atMost(4)
    case .full: .atMost(40)
    case .geometry7B: .atMost(25)
    }
  }

  /// The depth of the analysis of one checkpoint; nil for other works.
  var depth: String? {
    switch self {
    case .update, .geometry, .full: rawValue
    case .geometry7B: "geometry"
    case .series, .basis, .memory: nil
    }
  }

  var size: SpectralData.Size { self == .geometry7B ? .larger : .large }
}

/// Where the data of the analysis lie: made when they are missing, kept where a folder is named.
struct AnalysisData {
  let folder: String
  let maker: SpectralData

  /// One layer of 1.5B shapes with 20 checkpoints.
  func layer() throws -> String { try made("layer", size: .large, layers: 1, checkpoints: 20) }

  /// Some layers with one checkpoint or more.
  func model(_ size: SpectralData.Size, layers: Int) throws -> String {
    try made(size.rawValue, size: size, layers: layers, checkpoints: 1)
  }

  private func made(_ name: String, size: SpectralData.Size, layers: Int, checkpoints: Int) throws -> String {
    let path = folder + "/" + name
    if !FileManager.default.fileExists(atPath: path) {
      try maker.make(path, size: size, layers: layers, checkpoints: checkpoints)
    }
    return path
  }
}

/// Measures what `AnalysisWork` names.
struct AnalysisMeasurement {
  let data: AnalysisData
  let comparison: Comparison
  let jobs: Int
  /// Layers to make where there are no data.
  let layers: [SpectralData.Size: Int]
  let scratch: ScratchFolder

  func figure(of work: AnalysisWork) throws -> Figure {
    switch work {
    case .series: try series()
    case .basis: try basis()
    case .memory: try memory()
    case .update, .geometry, .full, .geometry7B: try checkpoint(work, depth: work.depth!)
    }
  }

  private func conditions(
    _ clock: Clock?, threads: Int, layers: Int, of size: SpectralData.Size = .large, depth: String
  ) -> Figure.Conditions {
    let measured = layers == size.layers ? "\(layers) layers" : "\(layers) of \(size.layers) layers"
    return Figure.Conditions(
      clock: clock, threads: threads, size: "\(size.shapes), \(measured), r = 32", depth: depth, precision: "Float64")
  }

  private func series() throws -> Figure {
    let series = try SpectralSeries(data: data.layer())
    let products = SpectralProducts(of: series)
    let (own, peer) = try comparison.run(
      { try Clock.processor.sample(series.measure) }, beside: products.measure)
    let factor = Double(SpectralData.Size.large.layers)
    return Figure(
      name: "series", conditions: conditions(.processor, threads: 1, layers: 1, depth: "update and energies"),
      own: Figure.Side("the whole work, reading the files included", own, factor: factor),
      peer: Figure.Side("BᵀB, A·Aᵀ, FᵀB and F·Aᵀ by CBLAS on factors in Float64", peer, factor: factor),
      target: AnalysisWork.series.target)
  }

  private func basis() throws -> Figure {
    let path = try data.layer()
    let stages = try BasisStages(base: path + "/base")
    let (own, peer) = try comparison.run(
      { try Clock.processor.sample { try SpectralWork.basis(path, jobs: 1) } }, beside: stages.measure)
    let factor = Double(SpectralData.Size.large.layers)
    return Figure(
      name: "basis", conditions: conditions(.processor, threads: 1, layers: 1, depth: "basis"),
      own: Figure.Side("the whole work, from file to file", own, factor: factor),
      peer: Figure.Side("its stages by BLAS and LAPACK, summed (seconds of one layer)", peer, factor: factor),
      target: AnalysisWork.basis.target)
  }

  private func memory() throws -> Figure {
    let path = try data.layer()
    let program = try Program.spectroscope()
    var announced = 0.0
    let own = try (0..<comparison.repetitions).map { repetition in
      let folder = scratch.path + "/basis-\(repetition)"
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let process = try MeasuredProcess.alone(
        program, ["basis", path + "/base", "--out", folder, "--jobs", "\(jobs)"])
      announced = try Self.announced(by: process)
      return Sample(value: process.peakMebibytes, said: "spectroscope basis --jobs \(jobs)")
    }
    return Figure(
      name: "memory", unit: .mebibytes, conditions: conditions(nil, threads: jobs, layers: 1, depth: "basis"),
      own: Figure.Side("the most memory at once", own),
      peer: Figure.Side("what the program announces", [Sample(value: announced, said: "")]),
      target: AnalysisWork.memory.target)
  }

  /// The number in "memory up to 412 MiB".
  private static func announced(by process: MeasuredProcess) throws(BenchmarkError) -> Double {
    guard let match = process.standardError.firstMatch(of: /memory up to (\d+) MiB/), let value = Double(match.1) else {
      throw BenchmarkError(
        "spectroscope basis: expected \"memory up to N MiB\" on standard error, found: \(process.standardError)")
    }
    return value
  }

  /// One checkpoint over a base whose basis is there and whose files are in memory.
  private func checkpoint(_ work: AnalysisWork, depth: String) throws -> Figure {
    let size = work.size
    let path = try data.model(size, layers: layers[size]!)
    let (base, basis) = (path + "/base", path + "/basis")
    let found = try SpectralData.layers(of: path)
    let program = try Program.spectroscope()
    // Computes what is missing, in the first run alone.
    note("the basis of \(found) layers of \(size.rawValue) shapes, where it is not there")
    _ = try MeasuredProcess.run(program, ["basis", base, "--out", basis, "--jobs", "\(jobs)", "--quiet"])
    let source = try CheckpointSeries(path: path + "/series").checkpoints.last!.path
    let output = scratch.path + "/\(work.rawValue).h5"
    let samples = try comparison.run {
      let process = try MeasuredProcess.alone(
        program,
        [
          "analyze", source, "--base", base, "--basis", basis, "--depth", depth, "--out", output, "--quiet", "--jobs",
          "\(jobs)",
        ])
      let said =
        "processor \(Spread.text(process.processorSeconds)) s, memory \(Spread.text(process.peakMebibytes)) MiB"
      return Sample(value: process.wallSeconds, said: said)
    }
    let conditions = conditions(.wall, threads: jobs, layers: found, of: size, depth: depth)
    return Figure(
      name: work.rawValue, conditions: conditions,
      own: Figure.Side(
        "spectroscope analyze of one checkpoint, warm, as measured", samples,
        factor: Double(size.layers) / Double(found)),
      target: work.target)
  }
}
