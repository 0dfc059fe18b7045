import Foundation
import OrderedCollections
import RunStore
import Weights

/// Joins the shards of an analysis to the file that one process would have written.
package struct ShardMerge: Sendable {
  /// The folders in which shards lie; one, unless machines had none in common.
  package var folders: [String]
  /// The analysis file to write.
  package var output: String
  /// Whether pieces may have been computed by different kernels, whose last digits differ.
  package var allowsMixedKernels: Bool

  package init(folders: [String], output: String, allowsMixedKernels: Bool = false) {
    (self.folders, self.output, self.allowsMixedKernels) = (folders, output, allowsMixedKernels)
  }

  /// Why shards cannot be joined: everything that is wrong with them, so that one look is enough.
  package struct Refusal: Error, Equatable {
    package var problems: [FileError]
  }

  /// A shard with the file that it was read from.
  struct Part {
    var path: String
    var file: ShardFile
    var name: String { URL(fileURLWithPath: path).lastPathComponent }
  }

  /// Reads, checks and writes.
  ///
  /// - Throws: `Refusal`, or `FileError` where there are no shards or the file cannot be written.
  package func run() throws -> MeasurementPlan.Outcome {
    let (parts, damages) = try read()
    guard let first = parts.first else {
      if damages.isEmpty { throw noShards }
      throw Refusal(problems: damages)
    }
    // Where these differ the rest says nothing.
    for problems in [divisions(parts), inputs(parts)] where !problems.isEmpty {
      throw Refusal(problems: damages + problems)
    }
    var pieces: [PieceJournal.PieceKey: (piece: MeasurementPiece, part: Part)] = [:]
    var problems = damages + overlaps(parts, &pieces) + missing(first.file, Set(pieces.keys))
    if !allowsMixedKernels { problems += mixedKernels(parts) }
    guard problems.isEmpty else { throw Refusal(problems: problems) }
    let outcome = latest(parts).outcome(
      pieces: pieces.values.map(\.piece),
      references: parts.reduce(into: [:]) { $0.merge($1.file.references) { first, _ in first } })
    try AnalysisFile.write(outcome.analysis, to: output)
    return outcome
  }

  private func read() throws(FileError) -> (parts: [Part], damages: [FileError]) {
    var (parts, damages): ([Part], [FileError]) = ([], [])
    for folder in folders {
      for path in try ShardFolder.files(in: folder) {
        do throws(FileError) {
          parts.append(Part(path: path, file: try ShardFile(path: path)))
        } catch {
          damages.append(error)
        }
      }
    }
    parts.sort {
      ($0.file.shard.count, $0.file.shard.index, $0.path) < ($1.file.shard.count, $1.file.shard.index, $1.path)
    }
    return (parts, damages)
  }

  private var noShards: FileError {
    FileError(
      .badContent, path: folders[0], "expected the shards of an analysis, found none that has ended",
      remedy: "Run `spectroscope analyze --shard i/n` for every i from 0 to n - 1")
  }

  /// What is known of the run and its log where that was read last: a log grows while shards run.
  private func latest(_ parts: [Part]) -> AnalysisFrame {
    parts.map(\.file.frame).reduce(parts[0].file.frame) {
      $1.records.records.count > $0.records.records.count ? $1 : $0
    }
  }
}

// MARK: - What forbids joining

extension ShardMerge {
  /// Shards of several divisions would have modules twice and others never.
  private func divisions(_ parts: [Part]) -> [FileError] {
    let counts = Dictionary(grouping: parts, by: \.file.shard.count)
    guard counts.count > 1 else { return [] }
    let found = counts.sorted { $0.key < $1.key }.map { count, parts in
      "\(parts.map(\.name).joined(separator: ", ")) of \(count)"
    }
    return [
      FileError(
        .badContent, path: folders[0], "expected shards of one division, found \(found.joined(separator: " and "))",
        remedy: "Remove those that are not wanted")
    ]
  }

  /// Shards of other files, options or versions.
  private func inputs(_ parts: [Part]) -> [FileError] {
    let first = parts[0]
    return parts.dropFirst().compactMap { part in
      guard part.file.inputs != first.file.inputs || part.file.units != first.file.units else { return nil }
      return FileError(
        .badContent, path: part.path, object: "what it was measured of", difference(of: part, from: first),
        remedy: "Run the one that is out of date again: all shards need the same files, options and version")
    }
  }

  private func difference(of part: Part, from first: Part) -> String {
    let (expected, found) = (first.file.inputs.object ?? [:], part.file.inputs.object ?? [:])
    let name = expected.keys.first { expected[$0] != found[$0] } ?? "units"
    let words = name.replacing("_", with: " ")
    func text(_ value: JSONValue?) -> String? {
      switch value {
      case .string, .integer, .bool, .null: value!.text()
      default: nil
      }
    }
    guard let wanted = text(expected[name]), let other = text(found[name]) else {
      return "expected the same \(words) as \(first.name), found others: other paths, sizes or times of files"
    }
    return "expected \(words) \(wanted), as \(first.name) has, found \(other)"
  }

  /// Gathers the pieces; one that is there twice must be the same to the last bit.
  private func overlaps(
    _ parts: [Part], _ pieces: inout [PieceJournal.PieceKey: (piece: MeasurementPiece, part: Part)]
  ) -> [FileError] {
    var problems: [FileError] = []
    for part in parts {
      var clashes: [String: (first: Part, keys: [PieceJournal.PieceKey])] = [:]
      for piece in part.file.pieces {
        if let known = pieces[piece.key] {
          if known.piece.json != piece.json {
            clashes[known.part.path, default: (known.part, [])].keys.append(piece.key)
          }
        } else {
          pieces[piece.key] = (piece, part)
        }
      }
      for (first, keys) in clashes.values {
        problems.append(
          FileError(
            .badContent, path: part.path,
            "expected what no other shard has, or the same, found other content than in "
              + "\(first.name): \(Self.text(keys))", remedy: "Remove the one that is not wanted"))
      }
    }
    return problems
  }

  /// What no shard has, by shard.
  private func missing(_ division: ShardFile, _ found: Set<PieceJournal.PieceKey>) -> [FileError] {
    let wanted = Dictionary(grouping: division.units, by: \.shard)
    return wanted.sorted { $0.key < $1.key }.compactMap { index, units in
      let keys = units.flatMap { unit in unit.steps.map { PieceJournal.PieceKey(step: $0, module: unit.module) } }
      let missing = keys.filter { !found.contains($0) }
      guard !missing.isEmpty, let shard = try? Shard(index: index, count: division.shard.count) else { return nil }
      let done = folders.reduce(into: Set<PieceJournal.PieceKey>()) { done, folder in
        done.formUnion(PieceJournal.keys(of: ShardFile.stem(of: shard, in: folder), identity: division.inputs))
      }
      let state = done.isEmpty ? "is missing" : "has not ended, \(done.count) of \(keys.count) pieces are done; missing"
      return FileError(
        .badContent, path: folders[0], "shard \(shard) \(state): \(Self.text(missing.filter { !done.contains($0) }))",
        remedy: "Run `spectroscope analyze` with --shard \(shard) again")
    }
  }

  private func mixedKernels(_ parts: [Part]) -> [FileError] {
    var shards: [String: Set<Int>] = [:]
    for part in parts {
      for kernels in part.file.pieces.map(\.kernels) + part.file.references.values.map(\.kernels) {
        shards[kernels, default: []].insert(part.file.shard.index)
      }
    }
    guard shards.count > 1 else { return [] }
    let found = shards.sorted { $0.key < $1.key }.map { kernels, shards in
      let indices = shards.sorted().map(String.init).joined(separator: ", ")
      return "\(kernels) (shard\(shards.count == 1 ? "" : "s") \(indices))"
    }
    return [
      FileError(
        .badContent, path: folders[0],
        "expected pieces that one kind of kernels has computed, found \(found.joined(separator: " and "))",
        remedy:
          "Remove the shards of one kind and run them again on machines as those of the other, or with its OPENBLAS_CORETYPE; "
          + "--allow-mixed-kernels joins them, and their last digits differ")
    ]
  }

  /// Pieces in words, those of the same steps together.
  private static func text(_ keys: [PieceJournal.PieceKey]) -> String {
    let steps = Dictionary(grouping: keys, by: \.module).mapValues { $0.map(\.step).sorted() }
    let groups = Dictionary(grouping: steps.keys) { steps[$0]! }
    return groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { steps, modules in
      let numbers = steps.map(String.init).joined(separator: ", ")
      let names = modules.sorted(by: NaturalOrder.precedes).map { FileError.quoted($0) }.joined(separator: ", ")
      return "step\(steps.count == 1 ? "" : "s") \(numbers) of \(names)"
    }.joined(separator: "; ")
  }
}
