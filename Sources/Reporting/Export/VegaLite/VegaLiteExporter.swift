import RunStore
import Weights

/// Charts as Vega-Lite specifications with their data inside: `<name>.vl.json`, for the Vega editor, notebooks, Altair and vl-convert.
enum VegaLiteExporter: Exporter {
  static func export(
    _ analysis: Analysis, training: TrainingRecords?, to folder: String
  ) throws(FileError) -> [String] {
    var paths: [String] = []
    for chart in charts(of: analysis, training: training) {
      let path = "\(folder)/\(chart.name).vl.json"
      try PendingFile.write(chart.specification.text() + "\n", to: path)
      paths.append(path)
    }
    return paths
  }

  /// Those that there are numbers for.
  private static func charts(of analysis: Analysis, training: TrainingRecords?) -> [VegaLiteChart] {
    let spectra = SpectrumCharts(analysis)
    return [
      training.flatMap { TrainingChart.chart(of: $0, in: analysis) }, spectra.singularValues, spectra.effectiveRank,
      spectra.energy, spectra.velocity,
    ].compactMap(\.self)
  }
}
