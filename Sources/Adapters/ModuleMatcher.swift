import Weights

/// Finds the base weight of an adapter's module.
///
/// The adapter's path is the base model's own in most cases. Wrappers differ in leading parts (`model.`, `language_model.`), so
/// a path that is not found is also looked up by its end, where exactly one weight of the base fits.
package struct ModuleMatcher: Sendable {
  /// The base weight of a module.
  package struct Match: Equatable, Sendable {
    /// The base model's path, without `.weight`.
    package var module: String
    package var tensor: String
    /// True where the base stores input × output (Conv1D, embeddings), so that reading it as output × input transposes it.
    package var isTransposed: Bool
    /// The index along the first axis of a tensor that holds one matrix an expert.
    package var expert: Int?
    /// Set where the weight stands behind a norm whose gains are trained: then W₀ is that weight times the norm's gains.
    package var norm: Norm?

    package init(module: String, tensor: String, isTransposed: Bool = false) {
      self.module = module
      self.tensor = tensor
      self.isTransposed = isTransposed
    }
  }

  /// The norm in front of a weight: its gains are offset + γ.
  package struct Norm: Equatable, Sendable {
    /// The name of γ in the base.
    package var tensor: String
    /// 1 for families that store γ − 1 (Gemma), else 0.
    package var offset: Double
  }

  /// Why a module has no base weight.
  package enum Mismatch: Error, Equatable, Sendable {
    case noSuchModule
    case ambiguous([String])
    case shape(expected: [Int], found: [Int], tensor: String)
  }

  private let shapes: [String: [Int]]
  private let tiesEmbeddings: Bool
  /// Modules by the last part of their path, so that a look-up by the end stays cheap.
  private let byEnd: [Substring: [String]]

  /// - Parameter shapes: the base's tensors by name, `….weight` and others.
  /// - Parameter tiesEmbeddings: `tie_word_embeddings` of the base, whose output layer then is its embedding.
  package init(shapes: [String: [Int]], tiesEmbeddings: Bool = false) {
    let modules = shapes.keys.filter { $0.hasSuffix(".weight") }.map { String($0.dropLast(".weight".count)) }
    self.shapes = shapes
    self.tiesEmbeddings = tiesEmbeddings
    byEnd = Dictionary(grouping: modules.sorted()) { Self.end(of: $0) }
  }

  private static func end(of path: String) -> Substring {
    path[(path.lastIndex(of: ".").map { path.index(after: $0) } ?? path.startIndex)...]
  }

  /// The base weight that a module of `rows` × `columns` (output × input) belongs to.
  package func match(_ module: AdapterFolder.Module, isFanInFanOut: Bool) throws(Mismatch) -> Match {
    let base = try baseModule(for: module.path)
    let tensor = (shapes[base + ".weight"] == nil ? try tiedEmbedding(for: base) : base) + ".weight"
    let found = shapes[tensor]!
    let expected = [module.rows, module.columns]
    let storesTransposed: Bool
    switch module.content {
    case .lora(_, _, let isEmbedding): storesTransposed = isEmbedding || isFanInFanOut
    case .saved(_, let isEmbedding): storesTransposed = isEmbedding
    }
    let wanted = storesTransposed ? expected.reversed() : expected
    if found == wanted { return Match(module: base, tensor: tensor, isTransposed: storesTransposed) }
    // `fan_in_fan_out` is one flag for a model that may have layers of both kinds: the shape of a weight decides.
    guard found == expected, isFanInFanOut, case .lora(_, _, isEmbedding: false) = module.content else {
      throw .shape(expected: wanted, found: found, tensor: tensor)
    }
    return Match(module: base, tensor: tensor, isTransposed: false)
  }

  /// The embedding in whose place an output layer without a weight of its own stands.
  private func tiedEmbedding(for module: String) throws(Mismatch) -> String {
    let embeddings = ["embed_tokens", "wte", "embed_in", "word_embeddings"].flatMap { byEnd[Substring($0)] ?? [] }
    guard let only = embeddings.first, embeddings.count == 1 else { throw .noSuchModule }
    return only
  }

  private func baseModule(for path: String) throws(Mismatch) -> String {
    if shapes[path + ".weight"] != nil { return path }
    let candidates = (byEnd[Self.end(of: path)] ?? []).filter {
      $0.hasSuffix("." + path) || path.hasSuffix("." + $0) || Self.differInWrappersOnly($0, path)
    }
    if candidates.count > 1 { throw .ambiguous(candidates) }
    if candidates.isEmpty, tiesEmbeddings, Self.end(of: path) == "lm_head" { return path }
    guard let only = candidates.first else { throw .noSuchModule }
    return only
  }

  /// True where the two paths are equal once the names that wrappers add are taken out.
  private static func differInWrappersOnly(_ a: String, _ b: String) -> Bool {
    let wrappers: Set<Substring> = ["model", "language_model", "base_model", "module", "_orig_mod"]
    func core(_ path: String) -> [Substring] { path.split(separator: ".").filter { !wrappers.contains($0) } }
    return core(a) == core(b)
  }
}
