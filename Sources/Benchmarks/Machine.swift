import Foundation
import LinearAlgebra
import Weights

/// Where a run took place: times of another machine, kernel or load are others.
struct Machine {
  /// What there is to say, in the order of printing.
  var facts: [(name: String, value: String)]

  /// The machine as it is now.
  static func current() -> Machine {
    let memory = String(format: "%.1f GiB", Double(ProcessInfo.processInfo.physicalMemory) / 0x1p30)
    var system = utsname()
    uname(&system)
    return Machine(facts: [
      ("processor", "\(field("model name", of: "/proc/cpuinfo") ?? "unknown"), \(cores) cores, \(memory)"),
      ("kernel", withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }),
      ("OpenBLAS", openBLAS), ("load", load),
    ])
  }

  static var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

  /// The mean numbers of processes that wanted to run in the last 1, 5 and 15 minutes.
  static var load: String {
    let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
    return text.split(separator: " ").prefix(3).joined(separator: " ")
  }

  /// "0.3.21, kernel Haswell, set by OPENBLAS_CORETYPE".
  private static var openBLAS: String {
    let environment = ProcessInfo.processInfo.environment
    let isSet = environment["OPENBLAS_CORETYPE"]?.isEmpty == false
    let origin = isSet ? "set by OPENBLAS_CORETYPE" : "its own choice"
    let cache = environment["OPENBLAS_L2_SIZE"].map { ", OPENBLAS_L2_SIZE=\($0)" } ?? ""
    return "\(openBLASVersion), kernel \(BLASLibrary.kernel), \(origin)\(cache)"
  }

  /// "0.3.21".
  static var openBLASVersion: String {
    let words = BLASLibrary.configuration.split(separator: " ")
    return words.dropFirst().first.map(String.init) ?? BLASLibrary.configuration
  }

  /// The value of the first line "name : value" of a file.
  static func field(_ name: String, of path: String) -> String? {
    // Files of /proc have no size, which is what reading them whole goes by elsewhere.
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == name {
        return parts[1].trimmingCharacters(in: .whitespaces)
      }
    }
    return nil
  }
}

extension Machine {
  var json: JSONValue { .array(facts.map { ["name": .string($0.name), "value": .string($0.value)] }) }

  init?(json: JSONValue) {
    guard let rows = json.array else { return nil }
    facts = rows.compactMap { row in
      guard let name = row["name"]?.string, let value = row["value"]?.string else { return nil }
      return (name, value)
    }
    guard facts.count == rows.count else { return nil }
  }
}
