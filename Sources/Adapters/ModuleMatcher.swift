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
    /// Tensors whose rows follow those of the first one in W₀: what another parameter holds as one.
    package var stacked: [String] = []
    /// Output × input; nil where nobody has asked.
    package var rows: Int?
    package var columns: Int?

    package init(
      module: String, tensor: String, isTransposed: Bool = false, expert: Int? = nil, rows: Int? = nil,
      columns: Int? = nil
    ) {
      self.module = module
      self.tensor = tensor
      self.isTransposed = isTransposed
      self.expert = expert
      self.rows = rows
      self.columns = columns
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
    /// A norm that no weight can be analysed behind, with the reason.
    case normWithoutWeights(String)
  }

  private let shapes: [String: [Int]]
  private let tiesEmbeddings: Bool
  /// The family as the base's configuration calls it.
  private let modelType: String
  /// Modules by the last part of their path, so that a look-up by the end stays cheap.
  private let byEnd: [Substring: [String]]

  /// - Parameter shapes: the base's tensors by name, `….weight` and others.
  /// - Parameter tiesEmbeddings: `tie_word_embeddings` of the base, whose output layer then is its embedding.
  /// - Parameter modelType: `model_type` of the base, which says what stands behind its norms and how its experts are stored.
  package init(shapes: [String: [Int]], tiesEmbeddings: Bool = false, modelType: String = "") {
    let modules = shapes.keys.filter { $0.hasSuffix(".weight") }.map { String($0.dropLast(".weight".count)) }
    self.shapes = shapes
    self.tiesEmbeddings = tiesEmbeddings
    self.modelType = modelType
    byEnd = Dictionary(grouping: modules.sorted()) { Self.end(of: $0) }
  }

  private static func end(of path: String) -> Substring {
    path[(path.lastIndex(of: ".").map { path.index(after: $0) } ?? path.startIndex)...]
  }

  /// The weights of the base that a module changes: one for most methods.
  package func matches(_ module: AdapterFolder.Module, isFanInFanOut: Bool) throws(Mismatch) -> [Match] {
    try module.stored.method.matches(of: module, isFanInFanOut: isFanInFanOut, in: self)
  }

  /// The base weight that a module of `rows` × `columns` (output × input), as far as these are known, belongs to.
  package func match(_ module: AdapterFolder.Module, isFanInFanOut: Bool) throws(Mismatch) -> Match {
    let base = try baseModule(for: module.path)
    let tensor = try weightTensor(of: base)
    let found = shapes[tensor]!
    let expected = [module.rows, module.columns]
    let storesTransposed = module.isEmbedding || (isFanInFanOut && !module.isWhole)
    let wanted = storesTransposed ? expected.reversed() : expected
    if Self.fits(found, wanted) {
      // A whole weight lies as the base's does: the module's shape, and the base's, are the transposed ones.
      return Self.match(base, tensor, found, isTransposed: storesTransposed || (module.isWhole && isConv1D(base)))
    }
    // `fan_in_fan_out` is one flag for a model that may have layers of both kinds: the shape of a weight decides.
    guard Self.fits(found, expected), storesTransposed, !module.isEmbedding else {
      throw .shape(expected: wanted.compactMap { $0 }, found: found, tensor: tensor)
    }
    return Self.match(base, tensor, found, isTransposed: false)
  }

  /// True for layers that store input × output without saying so (`Conv1D` of GPT-2).
  private func isConv1D(_ module: String) -> Bool {
    ["gpt2", "openai-gpt", "imagegpt"].contains(modelType)
      && ["c_attn", "c_proj", "c_fc", "q_attn"].contains(Self.end(of: module))
  }

  private static func fits(_ found: [Int], _ wanted: [Int?]) -> Bool {
    found.count == wanted.count && zip(found, wanted).allSatisfy { $1 == nil || $0 == $1 }
  }

  private static func match(_ module: String, _ tensor: String, _ shape: [Int], isTransposed: Bool) -> Match {
    Match(
      module: module, tensor: tensor, isTransposed: isTransposed, rows: shape[isTransposed ? 1 : 0],
      columns: shape[isTransposed ? 0 : 1])
  }

  private func weightTensor(of module: String) throws(Mismatch) -> String {
    (shapes[module + ".weight"] == nil ? try tiedEmbedding(for: module) : module) + ".weight"
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

// MARK: - Behind norms

extension ModuleMatcher {
  /// The weights behind a norm of `size` trained gains.
  func consumers(ofNorm path: String, size: Int) throws(Mismatch) -> [Match] {
    let norm = try baseModule(for: path)
    let tensor = norm + ".weight"
    guard shapes[tensor] == [size] else {
      throw .shape(expected: [size], found: shapes[tensor] ?? [], tensor: tensor)
    }
    guard let family = NormConsumers.of(modelType: modelType) else {
      throw .normWithoutWeights(
        "which layers stand behind the norms of the model type \(FileError.quoted(modelType)) is not known")
    }
    let layers = family.layers(behind: norm) ?? []
    let matches = layers.compactMap { layer -> Match? in
      guard let module = try? baseModule(for: layer), let weight = try? weightTensor(of: module),
        let shape = shapes[weight]
      else { return nil }
      let isTransposed = family.isTransposed && shapes[module + ".weight"] != nil && module != family.last?.layer
      guard shape.count == 2, shape[isTransposed ? 0 : 1] == size else { return nil }
      var match = Self.match(module, weight, shape, isTransposed: isTransposed)
      match.norm = Norm(tensor: tensor, offset: family.offset)
      return match
    }
    guard !matches.isEmpty else { throw .normWithoutWeights("no linear layer takes the output of the norm as it is") }
    return matches
  }

  /// True where the output of norms goes past the layers behind them as well, so that the rows are a part of what was trained.
  package var normsFeedResidual: Bool { NormConsumers.of(modelType: modelType)?.feedsResidual == true }
}

// MARK: - Experts

extension ModuleMatcher {
  /// The weights of all experts that a module's tensors hold.
  func experts(of module: AdapterFolder.Module) throws(Mismatch) -> [Match] {
    guard let experts = module.experts, let rows = module.rows, let columns = module.columns else {
      throw .noSuchModule
    }
    let fitting = experts.parameters.flatMap { name in
      parameters(named: name, below: experts.layer).compactMap { tensor -> (String, isTransposed: Bool)? in
        let shape = shapes[tensor]!
        guard shape.count == 3, shape[0] == experts.count else { return nil }
        let isStraight = shape[1] == rows && shape[2] == columns
        let isTransposed = shape[1] == columns && shape[2] == rows
        guard isStraight || isTransposed else { return nil }
        // A square does not tell; these families store input × output.
        return (tensor, isStraight && isTransposed ? Self.transposedFamilies.contains(modelType) : isTransposed)
      }
    }
    guard let (tensor, isTransposed) = fitting.first else { return try splitExperts(experts, rows, columns) }
    guard fitting.count == 1 else { throw .ambiguous(fitting.map(\.0)) }
    return (0..<experts.count).map { expert in
      Match(
        module: "\(tensor).\(expert)", tensor: tensor, isTransposed: isTransposed, expert: expert, rows: rows,
        columns: columns)
    }
  }

  /// The weights of experts that the base stores one by one, of which the model makes one parameter when it is loaded: gate and up
  /// projection one below the other.
  private func splitExperts(
    _ experts: AdapterFolder.Module.Experts, _ rows: Int, _ columns: Int
  ) throws(Mismatch) -> [Match] {
    let found = experts.parameters.compactMap { name -> [Match]? in
      let layers = name == "gate_up_proj" ? ["gate_proj", "up_proj"] : [name]
      let matches = (0..<experts.count).compactMap { expert -> Match? in
        let parts = layers.compactMap { try? baseModule(for: "\(experts.layer).\(expert).\($0)") + ".weight" }
        let shapes = parts.compactMap { self.shapes[$0] }
        guard parts.count == layers.count, shapes.allSatisfy({ $0.count == 2 && $0[1] == columns }),
          shapes.reduce(0, { $0 + $1[0] }) == rows
        else { return nil }
        var match = Match(
          module: "\(experts.layer).\(name).\(expert)", tensor: parts[0], rows: rows, columns: columns)
        match.stacked = Array(parts.dropFirst())
        return match
      }
      return matches.count == experts.count ? matches : nil
    }
    guard let only = found.first else { throw .noSuchModule }
    guard found.count == 1 else { throw .ambiguous(found.map { $0[0].module }) }
    return only
  }

  private static let transposedFamilies: Set<String> = ["gpt_oss", "aria", "aria_text", "openai_privacy_filter"]

  /// The tensors of that name in the layer, whatever wrappers its path has.
  private func parameters(named name: String, below layer: String) -> [String] {
    let whole = layer + "." + name
    if shapes[whole] != nil { return [whole] }
    return shapes.keys.filter {
      $0.hasSuffix("." + name)
        && (whole.hasSuffix("." + $0) || $0.hasSuffix("." + whole) || Self.differInWrappersOnly($0, whole))
    }.sorted()
  }
}
