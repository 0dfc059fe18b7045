import ArgumentParser
import Assessment
import Foundation
import OrderedCollections
import Training
import Weights

/// A file that says which runs a corpus is made of: bases by the options of `pretrain`, and grids by those of `lab`.
///
///     {"bases": {"sums": {"task": "modular-sums", "steps": 1500}},
///      "grids": {"sums": {"half": "calibration", "base": "sums", "task": "modular-sums", "methods": ["lora"], "seeds": [0, 1]}}}
struct CorpusFile {
  let path: String
  private let bases: OrderedDictionary<String, JSONValue>
  private let grids: OrderedDictionary<String, JSONValue>

  /// - Throws: `.cannotOpen`, or `.badContent` for what is no such file.
  init(path: String) throws(FileError) {
    let object = try OptionFile.object(at: path)
    guard let bases = object["bases"]?.object, let grids = object["grids"]?.object, object.count == 2 else {
      throw FileError(.badContent, path: path, "expected the members bases and grids, found others")
    }
    (self.path, self.bases, self.grids) = (path, bases, grids)
  }

  /// Makes the bases that are not there.
  func makeBases(in folder: String, quiet: Bool) throws {
    for (name, options) in bases {
      let out = folder + "/" + name
      guard !FileManager.default.fileExists(atPath: out + "/config.json") else { continue }
      let pretrain = try OptionFile.command(
        Pretrain.self, from: options.object ?? [:], at: path, negatable: [], behind: ["--out", out, "--quiet"])
      if !quiet { Console.error("making the base \(name)") }
      try pretrain.run()
    }
  }

  /// The half that each grid belongs to.
  ///
  /// - Throws: `.badContent` for a grid that says none.
  func halves() throws(FileError) -> [String: CorpusRow.Half] {
    var halves: [String: CorpusRow.Half] = [:]
    for (name, options) in grids {
      guard let half = options["half"]?.string.flatMap(CorpusRow.Half.init) else {
        throw FileError(
          .badContent, path: path, object: FileError.quoted(name),
          "expected the member half with calibration or test, found another or none")
      }
      halves[name] = half
    }
    return halves
  }

  /// All runs, each named after its grid, with a checkpoint at every step whatever the file says.
  ///
  /// - Parameter folder: where the bases are.
  func grid(basesIn folder: String) throws -> Grid {
    Grid(
      joining: try grids.map { name, options in
        var options = options.object ?? [:]
        options["half"] = nil
        if let base = options["base"]?.string, bases[base] != nil { options["base"] = .string(folder + "/" + base) }
        let lab = try OptionFile.command(
          Lab.self, from: options, at: path, repeated: ["--base"], negatable: ["--dynamic-sampling"], behind: [])
        return (
          name,
          Grid(
            runs: try lab.grid().runs.map { run in
              var run = run
              run.configuration.checkpointEvery = 1
              return run
            })
        )
      })
  }
}
