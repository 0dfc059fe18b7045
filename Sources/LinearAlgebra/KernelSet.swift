import Foundation

/// Which machine code computes results: where the name is the same, so are their last bits.
package enum KernelSet {
  /// OpenBLAS's kernels and, on x86-64, the level of the instruction set by which this program's own are chosen: `Haswell, x86-64-v3`.
  package static let name = [BLASLibrary.kernel, instructionSet].compactMap(\.self).joined(separator: ", ")

  private static let instructionSet: String? = {
    #if arch(x86_64)
      let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
      let line = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
      let flags = Set(line.split(separator: " "))
      // What the psABI asks of the levels that the kernels are compiled for, by Linux's names; v4 includes v3.
      let isThird = flags.isSuperset(of: ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"])
      let isFourth = isThird && flags.isSuperset(of: ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"])
      return isFourth ? "x86-64-v4" : isThird ? "x86-64-v3" : "x86-64"
    #else
      return nil
    #endif
  }()
}
