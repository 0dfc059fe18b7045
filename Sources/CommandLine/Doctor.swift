import ArgumentParser
import Diagnosis
import Foundation
import LinearAlgebra
import Measurement
import OrderedCollections
import Reporting
import RunStore
import Weights

/// `spectroscope doctor`.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows versions, threads and libraries, and tests BLAS and SVD against plain Swift.",
    discussion: "Exit code 70 where a library gives wrong results, 0 otherwise.")

  @OptionGroup var output: OutputOptions

  func run() throws {
    let facts = Self.facts
    let checks = BLASSelfTest.run()
    if output.json {
      Console.print(Self.json(facts, checks).text(pretty: true))
    } else if !output.quiet {
      var table = TextTable(columns: [("", .left), ("", .left)])
      for fact in facts { table.add([fact.name, fact.value]) }
      for check in checks {
        let verdict = check.passed ? "ok" : "WRONG"
        table.add(["test " + check.name, "\(verdict) (error \(check.error.brief) of what rounding allows)"])
      }
      Console.print(table.text.drop { $0 == "\n" }.description)
    }
    if !output.quiet, let note = Self.kernelNote { Console.error(note) }
    if checks.contains(where: { !$0.passed }) {
      Console.error("Error: BLAS or LAPACK gives wrong results; install another build of OpenBLAS")
      throw ExitCode(70)
    }
  }

  /// OpenBLAS falls back to kernels without vector units where it does not know the processor, several times slower.
  private static var kernelNote: String? {
    let flags = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let slow = ["Prescott", "Core2", "Nehalem", "Generic", "Unknown"]
    guard slow.contains(BLASLibrary.kernel), flags.contains(" avx2 ") else { return nil }
    let better = flags.contains(" avx512f ") ? "SkylakeX" : "Haswell"
    return "Note: OpenBLAS does not know this processor and uses its slow \(BLASLibrary.kernel) kernels. "
      + "OPENBLAS_CORETYPE=\(better) in the environment makes it several times faster."
  }

  private static var facts: [(name: String, key: String, value: String)] {
    let environment = ProcessInfo.processInfo.environment
    return [
      ("spectroscope", "spectroscope", programVersion),
      ("system", "system", ProcessInfo.processInfo.operatingSystemVersionString + ", " + architecture),
      ("cores", "cores", String(ProcessInfo.processInfo.activeProcessorCount)),
      ("OpenBLAS", "openblas", BLASLibrary.configuration),
      ("OpenBLAS kernel", "openblas_kernel", BLASLibrary.kernel),
      ("OpenBLAS threads", "openblas_threads", String(BLASLibrary.threads)),
      ("HDF5", "hdf5", HDF5Library.version + (HDF5Library.isThreadSafe ? ", thread-safe" : ", not thread-safe")),
      ("HDF5 file locking", "hdf5_file_locking", environment["HDF5_USE_FILE_LOCKING"] ?? "default"),
    ]
  }

  private static var architecture: String {
    #if arch(x86_64)
      "x86-64"
    #elseif arch(arm64)
      "arm64"
    #else
      "other"
    #endif
  }

  private static func json(_ facts: [(name: String, key: String, value: String)], _ checks: [BLASSelfTest.Check])
    -> JSONValue
  {
    .object([
      "facts": .object(.init(uniqueKeysWithValues: facts.map { ($0.key, .string($0.value)) })),
      "tests": .array(
        checks.map { ["name": .string($0.name), "passed": .bool($0.passed), "error": .number($0.error)] }),
    ])
  }
}
