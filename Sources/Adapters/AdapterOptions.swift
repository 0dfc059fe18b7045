import OrderedCollections

/// What makes an adapter beside its method. The one owner of the defaults.
package struct AdapterOptions: Equatable, Sendable {
  /// r of ΔW = s·B·A; nil for the method's own default, which is 4 for most.
  package var rank: Int?
  /// α, with s = α/r for most methods; nil for the method's own default, which is 8 for most.
  package var alpha: Double?
  /// Ranks and α of modules of their own, by the end of a module's path, as `rank_pattern` and `alpha_pattern` of PEFT.
  package var rankPattern: OrderedDictionary<String, Int> = [:]
  package var alphaPattern: OrderedDictionary<String, Double> = [:]
  /// The share of the adapter's input that is set to zero while gradients are taken.
  package var dropout = 0.0
  /// Power iterations of PiSSA's randomised start, `pissa_niter_k` in PEFT; nil for the exact one.
  package var pissaIterations: Int?
  /// LoRA+: how much faster B learns than A (Hayou et al. 2024, section 5).
  package var rateRatio = 16.0
  package var adalora = AdaLoRAOptions()
  /// VeRA: what λ_d begins with.
  package var veraInitial = 0.1
  /// `svd`: which singular directions of the base the factors begin in, and with which singular values.
  package var directions = SVDDirections.top
  package var magnitudes = SVDMagnitudes.top

  package init(rank: Int? = nil, alpha: Double? = nil, pissaIterations: Int? = nil) {
    self.rank = rank
    self.alpha = alpha
    self.pissaIterations = pissaIterations
  }
}

extension AdapterOptions {
  /// Whether a pattern is a module's path, or the end of it behind a dot. PEFT's are regular expressions, of which these are the plain ones.
  package static func matches(_ path: String, _ pattern: String) -> Bool {
    path == pattern || path.hasSuffix("." + pattern)
  }

  /// These options with nothing left to defaults of the method.
  package func resolved(for method: AdapterMethod) -> ResolvedAdapterOptions {
    guard let trained = method.trained else { preconditionFailure("\(method) is not trained") }
    return ResolvedAdapterOptions(
      rank: trained.fixedRank ?? rank ?? trained.defaultRank, alpha: alpha ?? trained.defaultAlpha, options: self)
  }
}

/// The options of one method, or of one of its modules.
package struct ResolvedAdapterOptions: Sendable {
  /// r.
  package var rank: Int
  /// α.
  package var alpha: Double
  package let options: AdapterOptions

  /// α/r.
  package var ratio: Double { alpha / Double(rank) }

  /// The same for one module: the first pattern counts that is its path, or the end of it behind a dot.
  package func at(_ path: String) -> ResolvedAdapterOptions {
    var copy = self
    func own<Value>(_ pattern: OrderedDictionary<String, Value>) -> Value? {
      pattern.first { AdapterOptions.matches(path, $0.key) }?.value
    }
    copy.rank = own(options.rankPattern) ?? rank
    copy.alpha = own(options.alphaPattern) ?? alpha
    return copy
  }
}
