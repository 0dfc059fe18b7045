internal import COpenBLAS

/// The BLAS that this process runs on.
package enum BLASLibrary {
  /// OpenBLAS's own description: version, build options, kernel.
  package static var configuration: String { String(cString: openblas_get_config()) }

  /// The name of the kernel set in use, such as `Haswell` or `SkylakeX`; it decides the last bits of results.
  package static var kernel: String { String(cString: openblas_get_corename()) }

  /// The number of threads OpenBLAS may use.
  package static var threads: Int { Int(openblas_get_num_threads()) }

  /// Confines OpenBLAS to the calling thread. Work is spread over modules instead: OpenBLAS's own pool serialises callers
  /// and spins while it waits. Process-wide; call once at start, before any other thread runs.
  package static func useOneThread() { openblas_set_num_threads(1) }
}
