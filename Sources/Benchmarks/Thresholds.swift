import Foundation
import OrderedCollections
import Weights

/// The counts that were recorded for each work, and how far a new one may be above them.
struct Thresholds {
  /// The share by which a count may grow.
  var margin = 0.01
  /// With which libraries the counts were taken: others have other counts.
  var libraries: String
  var works: OrderedDictionary<String, Counts> = [:]

  /// Beside the sources of this program.
  static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/thresholds.json"

  /// OpenBLAS and system here.
  static var currentLibraries: String {
    let release = (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8)) ?? ""
    let system = release.firstMatch(of: /PRETTY_NAME="([^"]*)"/).map { String($0.1) } ?? "unknown system"
    return "OpenBLAS \(Machine.openBLASVersion), \(system)"
  }

  /// The most that a count may be; nil where none was recorded.
  func limit(_ kind: Counts.Kind, of work: CountedWork) -> Int? {
    works[work.rawValue]?.values[kind].map { Int((Double($0) * (1 + margin)).rounded(.up)) }
  }

  /// A line for every count that is above its limit, or has none.
  func complaints(_ work: CountedWork, _ counts: Counts) -> [String] {
    counts.values.compactMap { kind, count in
      guard let limit = limit(kind, of: work) else {
        return "\(work.rawValue): \(kind.words): found \(count), expected a limit in \(Self.path); --record writes one"
      }
      guard count > limit else { return nil }
      return "\(work.rawValue): \(kind.words): expected at most \(limit), found \(count)"
    }
  }
}

// MARK: - JSON

extension Thresholds {
  /// - Throws: `FileError` where the file is missing or is another one.
  init(contentsOf path: String) throws(FileError) {
    let json = try JSONValue(contentsOf: path)
    guard let margin = json["margin"]?.double, let libraries = json["libraries"]?.string,
      let works = json["works"]?.object
    else {
      throw FileError(
        .badContent, path: path, "expected margin, libraries and works, found another JSON document",
        remedy: "Write it anew with --record")
    }
    (self.margin, self.libraries) = (margin, libraries)
    self.works = works.mapValues { work in
      var counts = Counts(values: [:])
      for kind in Counts.Kind.allCases { counts.values[kind] = work[kind.rawValue]?.int }
      return counts
    }
  }

  var json: JSONValue {
    let rows = works.mapValues { counts -> JSONValue in
      var members: OrderedDictionary<String, JSONValue> = [:]
      for (kind, count) in counts.values { members[kind.rawValue] = .integer(count) }
      return .object(members)
    }
    return ["margin": .number(margin), "libraries": .string(libraries), "works": .object(rows)]
  }
}
