import LinearAlgebra

/// The change of one weight matrix between two moments, and how finely it is known.
package struct ModuleUpdate: Sendable {
  package enum Content: Sendable {
    case factored(LowRankProduct)
    /// A difference of whole weights, with ‖W₊‖_F of the later one.
    case dense(Matrix<Double>, laterNorm: Double)
  }

  package var content: Content
  /// The rms Frobenius norm of what the rounding of the stored numbers does to the update.
  package var roundingNorm: Double
  /// ‖round(W₀ − s·B₀·A₀) − (W₀ − s·B₀·A₀)‖_F: what storing a residual base costs. Only where there is one.
  package var residualRoundingNorm: Double?
  /// Which updates the method could have made at all, which decides what chance gives.
  package var reach: UpdateReach = .everything
}

/// The set of updates that a method can reach, whatever it learns: what its energies and angles are held against.
package enum UpdateReach: Equatable, Sendable {
  /// No direction is barred for good.
  case everything
  /// The rows stay in the span of these frozen rows, r × columns: LoRA-FA's A₀, MiSS's T, VeRA's A.
  case frozenRows(Matrix<Double>)
  /// diag(d)·W₀: IA3 on outputs, DoRA's magnitude.
  case rowScaling
  /// W₀·diag(d): IA3 on inputs, norm tuning.
  case columnScaling
}

/// Where W_eff(0) is, relative to the base's W₀.
package enum AdapterStart: Sendable {
  /// W_eff(0) = W₀, because the adapter starts at zero by construction.
  case pretrained
  /// The adapter began as these factors. Where `isSubtracted`, the base was changed by −s·B₀·A₀ so that W_eff(0) = W₀;
  /// otherwise W_eff(0) = W₀ + s·B₀·A₀. `residualRoundingNorm` goes with a changed base; `isRecomputed` says that the factors
  /// were not stored but found again from the base.
  case factors(LoRAFactors, isSubtracted: Bool, residualRoundingNorm: Double?, isRecomputed: Bool)
  /// Nothing tells, and `init` (and `pretrained`, where the base was changed) cannot be had.
  case unknown(isSubtracted: Bool)

  /// True where W_eff(0) = W₀, so that the updates since initialisation and since pretraining are one.
  package var isPretrained: Bool {
    switch self {
    case .pretrained, .factors(_, isSubtracted: true, _, _): true
    case .factors, .unknown: false
    }
  }

  /// The start as a checkpoint sees it. One that is relative to W₀ itself, in a run that changed its base, was converted: it
  /// holds −s·B₀·A₀ among its own factors, and its W_eff(0) is W₀.
  package func seen(fromResidualBase: Bool) -> AdapterStart {
    switch self {
    case .factors(_, isSubtracted: true, _, _) where !fromResidualBase: .pretrained
    case .unknown(isSubtracted: true) where !fromResidualBase: .pretrained
    default: self
    }
  }

  /// True where W_eff(0) is known without having been computed again.
  package var isStored: Bool {
    switch self {
    case .pretrained, .factors(_, _, _, isRecomputed: false): true
    case .factors, .unknown: false
    }
  }
}

extension ModuleUpdate {
  /// W_eff(t) − W_eff(0), or nil where the start is unknown.
  package static func sinceInitialization(_ now: LoRAFactors, start: AdapterStart) throws(LinearAlgebraError)
    -> ModuleUpdate?
  {
    switch start {
    case .pretrained:
      return ModuleUpdate(content: .factored(now.product), roundingNorm: try now.roundingNorm(), reach: now.reach)
    case .factors(let first, _, let residual, let isRecomputed):
      let rounding = [try now.roundingNorm(), try first.roundingNorm(), isRecomputed ? residual ?? 0 : 0]
      return ModuleUpdate(
        content: .factored(now.difference(from: first)), roundingNorm: euclideanNorm(rounding),
        residualRoundingNorm: residual, reach: now.reach)
    case .unknown: return nil
    }
  }

  /// W_eff(t) − W₀ in exact arithmetic, or nil where a changed base cannot be reproduced.
  package static func sincePretraining(_ now: LoRAFactors, start: AdapterStart) throws(LinearAlgebraError)
    -> ModuleUpdate?
  {
    switch start {
    case .factors(_, isSubtracted: true, _, _): return try sinceInitialization(now, start: start)
    case .unknown(isSubtracted: true): return nil
    case .pretrained, .factors, .unknown:
      return ModuleUpdate(content: .factored(now.product), roundingNorm: try now.roundingNorm(), reach: now.reach)
    }
  }

  /// W_eff(t) − W_eff(before), which needs no start: a changed base cancels.
  package static func between(_ before: LoRAFactors, _ now: LoRAFactors) throws(LinearAlgebraError) -> ModuleUpdate {
    ModuleUpdate(
      content: .factored(now.difference(from: before)),
      roundingNorm: euclideanNorm([try now.roundingNorm(), try before.roundingNorm()]), reach: now.reach)
  }

  /// The same update of a method that reaches no more than `reach`.
  package func reaching(_ reach: UpdateReach) -> ModuleUpdate {
    var copy = self
    copy.reach = reach
    return copy
  }

  /// This update less an earlier one with the same reference, both of factors.
  package func subtracting(_ earlier: ModuleUpdate) -> ModuleUpdate? {
    guard case .factored(let a) = content, case .factored(let b) = earlier.content else { return nil }
    let difference = LowRankProduct(
      left: .sideBySide([a.left, b.left.scaled(by: -1)]), right: .stacked([a.right, b.right]))
    return ModuleUpdate(
      content: .factored(difference), roundingNorm: euclideanNorm([roundingNorm, earlier.roundingNorm]), reach: reach)
  }

  /// The difference of two whole weights. `roundings` are η·‖W‖_F of those of the two that were stored by training.
  package static func whole(
    from before: Matrix<Double>, to now: Matrix<Double>, roundings: [Double]
  ) throws(LinearAlgebraError) -> ModuleUpdate {
    ModuleUpdate(
      content: .dense(now - before, laterNorm: try now.frobeniusNorm()), roundingNorm: euclideanNorm(roundings))
  }
}
