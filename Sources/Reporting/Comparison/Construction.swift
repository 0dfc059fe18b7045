import Adapters
import Spectra

/// What a method fixes before training has done anything: a difference between runs that comes from there says nothing of their health.
enum Construction: String, CaseIterable, Sendable {
  case leadingDirections = "leading-directions"
  case trailingDirections = "trailing-directions"
  case followsBase = "follows-base"
  case frozenRows = "frozen-rows"
  case doubledRank = "doubled-rank"
  case otherRank = "other-rank"

  /// Those of a run.
  ///
  /// - Parameter isWithoutMagnitude: DoRA's shapes are those of `init.direction`.
  static func of(_ run: ComparedRun, isWithoutMagnitude: Bool) -> [Construction] {
    switch AdapterMethod(rawValue: run.method) {
    case .pissa: [.leadingDirections, .doubledRank]
    case .milora: [.trailingDirections, .doubledRank]
    case .svd: ofControl(run.directions) + [.doubledRank]
    case .ia3, .lnTuning: [.followsBase, .otherRank]
    case .dora: isWithoutMagnitude ? [] : [.followsBase, .otherRank]
    case .vera, .miss, .loraFA: [.frozenRows]
    case .full, .loha, .lokr: [.otherRank]
    case .lora, .rslora, .loraPlus, .rank1, .adalora, nil: []
    }
  }

  private static func ofControl(_ directions: SVDDirections?) -> [Construction] {
    switch directions {
    case .top: [.leadingDirections]
    case .bottom: [.trailingDirections]
    case .middle, .random: []
    // Nothing is said of an end that it may not begin in; the notes say that it is not known.
    case nil: []
    }
  }

  /// True where the construction decides the quantity, or a part of it.
  func decides(_ quantity: ComparedQuantity) -> Bool {
    switch self {
    case .leadingDirections: Self.top.contains(quantity)
    case .trailingDirections: Self.bottom.contains(quantity)
    case .followsBase: Self.top.contains(quantity) || Self.bottom.contains(quantity)
    case .frozenRows: quantity.isOfBothSides || quantity.side == .right
    case .doubledRank, .otherRank: quantity == .effectiveRank
    }
  }

  private static let top: Set<ComparedQuantity> = [
    .enrichmentTop, .leftEnrichmentTop, .rightEnrichmentTop, .leftEnergyTop, .rightEnergyTop, .overlap, .leftOverlap,
    .rightOverlap,
  ]
  private static let bottom: Set<ComparedQuantity> = [
    .enrichmentBottom, .leftEnrichmentBottom, .rightEnrichmentBottom, .leftEnergyBottom, .rightEnergyBottom,
  ]
  /// What is marked, and why, for the legend; behind the names of runs.
  var reason: String {
    switch self {
    case .leadingDirections: "top energy and overlap: its factors begin in W₀'s leading directions"
    case .trailingDirections: "bottom energy: its factors begin in W₀'s trailing directions"
    case .followsBase: "energy and overlap: an update that scales W₀ follows its spectrum"
    case .frozenRows: "the right-hand side: it is a property of the rows that stay frozen"
    case .doubledRank: "effective rank: ΔW is the difference of two products, of rank up to 2r"
    case .otherRank: "effective rank: ΔW is not held to a rank r"
    }
  }
}
