import Diagnosis
import Spectra
import Weights

/// The HDF5 file of an analysis, format version 1, which h5py, xarray and h5web open without anything of ours.
///
///     /                              format, format_version, created_by, source, base, depth, coverage, default;
///                                    mixed_kernels where pieces were computed by several kinds of kernels
///     /analysis/step [T]             int64, ascending; step, module and index are dimension scales,
///     /analysis/module [M]           hard-linked into each group below; text, in natural order
///     /analysis/index [R]            int64, 0 ..< R
///     /analysis/<delta>/<metric>     [T, M] float64, NaN where undefined; no dataset without any value
///     /analysis/<delta>/method       [T, M] text, empty where there is no row
///     /analysis/<delta>/singular_values  [T, M, R] float64, padded with NaN
///     /analysis/base/frobenius_norm  [M] float64, NaN where unknown
///     /analysis/base/singular_values [M, C] float64, padded with NaN, with an index of its own; at depth geometry and full
///     /analysis/updated/singular_values  [T, M, C] those of W₀ + ΔW, likewise; at depth full
///     /analysis/profiles/<delta>/<side>  [T, M, 11] energy by bins of W₀'s components, the last one the null space
///     /analysis/profiles/<delta>/<side>_null  what chance gives for it
///     /training                      the trainer's log, where one was joined: what `TrainingFile` describes
///     /findings                      JSON text
///     /noticed                       JSON text: those of the findings that reading the files made; no dataset in older files
///     /setup                         JSON text: how the run was set up; likewise
///
/// A delta without rows has no group. `rows` has a value exactly where there is a row.
package enum AnalysisFile {
  static let format = HDF5Format(
    name: "spectroscope-analysis", version: 1, description: "an analysis file",
    remedy: "Make one with `spectroscope analyze`", remedyForOlder: "Analyse the run again")

  /// Writes the file whole; equal analyses make equal files, byte for byte, in whatever order their rows are.
  ///
  /// Throws `.cannotWrite` or `.cannotCreate`; also when two rows share step, module and delta, or when one has no shape
  /// (`rows`, `columns`), since the layout cannot hold those.
  package static func write(_ analysis: Analysis, to path: String) throws(FileError) {
    let writer = try AnalysisWriter(analysis, path: path)
    try HDF5File.write(to: path) { (root) throws(FileError) in try writer.write(to: root) }
  }

  /// Reads a file back. The rows come by step, module in natural order, and delta; of `training`, every record has every column, in the
  /// order of names.
  ///
  /// Throws `.cannotOpen`, or `.badContent` for a file that is damaged, of another format or of a newer version.
  package static func read(from path: String) throws(FileError) -> Analysis {
    try AnalysisReader(path: path).analysis
  }

  /// The datasets that hold the profile of a side.
  static func profileDatasets(_ side: Side) -> [(name: String, value: (ProfileBin) -> Double)] {
    [(side.rawValue, { $0.share ?? .nan }), (side.rawValue + "_null", \.null)]
  }
}
