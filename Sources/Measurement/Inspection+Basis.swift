import Foundation
import OrderedCollections
import Weights

extension Inspection {
  /// A folder of spectral bases.
  mutating func describeBasis(_ path: String) throws(FileError) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    var (bytes, leading, complete) = (0, Int.max, 0)
    let files = names.filter { $0.hasSuffix(".safetensors") }.sorted()
    for name in files {
      let file = try TensorFile(path: path + "/" + name)
      bytes += file.file.size
      let counts = try BasisFile(path: path + "/" + name).counts
      let order = try file.entry("singular_values").shape.first ?? 0
      if counts.leading == order { complete += 1 } else { leading = min(leading, counts.leading) }
    }
    facts["weights"] = .integer(files.count)
    facts["with all vectors"] = .integer(complete)
    if leading < Int.max { facts["leading vectors of the others"] = .integer(leading) }
    facts["bytes"] = .integer(bytes)
    facts["note"] = "pass it to analyze with --basis"
  }
}
