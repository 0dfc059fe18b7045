import TestSupport
import Testing
import Weights

@Suite struct DoctorTests {
  private static let names = ["gemm Float32", "gemm Float64", "SVD Float32", "SVD Float64"]

  /// Nothing, or one line about an OpenBLAS that does not know the processor.
  private static func isNoteOnKernels(_ text: String) -> Bool {
    text.isEmpty
      || text.wholeMatch(
        of: /Note: OpenBLAS does not know this processor and uses its slow \w+ kernels\. OPENBLAS_CORETYPE=\w+ .*\n/)
        != nil
  }

  @Test func namesVersionsAndTestsTheLibraries() throws {
    let result = try spectroscope("doctor")
    let lines = result.stdout.split(separator: "\n")
    let facts = [
      "spectroscope  ", "system  ", "cores  ", "OpenBLAS  ", "OpenBLAS kernel  ", "OpenBLAS threads  1", "HDF5  ",
      "HDF5 file locking  ",
    ]
    #expect(lines.count == facts.count + Self.names.count)
    for (line, fact) in zip(lines, facts) {
      let pieces = fact.split(separator: " ").joined(separator: " ")
      #expect(line.split(separator: " ").joined(separator: " ").hasPrefix(pieces))
    }
    for (line, name) in zip(lines.dropFirst(facts.count), Self.names) {
      #expect(line.hasPrefix("test \(name) "))
      #expect(line.contains(/ok \(error [0-9.e-]+ of what rounding allows\)$/))
    }
    #expect(Self.isNoteOnKernels(result.stderr))
    #expect(result.status == 0)
  }

  @Test func jsonIsOneObject() throws {
    let result = try spectroscope("doctor", "--json")
    let json = try JSONValue(parsing: [UInt8](result.stdout.utf8))
    #expect(json["facts"]?["spectroscope"]?.string == "0.1.0")
    #expect(json["facts"]?["openblas_threads"]?.string == "1")
    let tests = try #require(json["tests"]?.array)
    #expect(tests.map { $0["name"]?.string } == Self.names)
    for test in tests {
      #expect(test["passed"]?.bool == true)
      #expect(try #require(test["error"]?.double) < 1)
    }
    #expect(Self.isNoteOnKernels(result.stderr))
    #expect(result.status == 0)
  }

  @Test func quietLeavesTheExitCode() throws {
    let result = try spectroscope("doctor", "--quiet")
    #expect(result.stdout == "" && result.stderr == "")
    #expect(result.status == 0)
  }
}
