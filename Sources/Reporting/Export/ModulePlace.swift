import Diagnosis
import RunStore
import Spectra

/// Where a module stands in the model, as far as its name tells: `model.layers.3.self_attn.q_proj` is `q_proj` of layer 3.
struct ModulePlace: Hashable {
  /// The first number in the name; nil where there is none.
  let layer: Int?
  /// The last part of the name.
  let projection: String

  init(_ module: String) {
    let parts = module.split(separator: ".")
    layer = parts.lazy.compactMap { Int($0) }.first
    projection = parts.last.map(String.init) ?? module
  }

  /// Modules for pictures, in natural order: all, or of more than `limit` those that findings name and then those that moved furthest.
  static func selected(_ limit: Int, of analysis: Analysis) -> [String] {
    var norms: [String: (step: Int, norm: Double)] = [:]
    for row in analysis.rows where row.delta != .previous {
      let norm = row.metrics[.relativeNorm] ?? 0
      if let known = norms[row.module], (known.step, known.norm) >= (row.step, norm) { continue }
      norms[row.module] = (row.step, norm)
    }
    let named = Set(analysis.findings.compactMap(\.module))
    let ranked = Set(analysis.rows.map(\.module)).sorted { a, b in
      let (isNamed, isOtherNamed) = (named.contains(a), named.contains(b))
      if isNamed != isOtherNamed { return isNamed }
      let (norm, other) = (norms[a]?.norm ?? 0, norms[b]?.norm ?? 0)
      return norm == other ? NaturalOrder.precedes(a, b) : norm > other
    }
    return ranked.prefix(limit).sorted(by: NaturalOrder.precedes)
  }
}
