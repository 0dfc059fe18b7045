/// All kinds of findings. `explain`, the report and the documentation come from here.
package enum Catalogue {
  package static let kinds: [any FindingKind.Type] = [
    UpdateIsZero.self,
    TensorsUnmoved.self,
    MovedWithinRounding.self,
    NonFiniteValues.self,
    AlphaIsZero.self,
    MatchesNoModule.self,
    RankOffConfiguration.self,
    AlphaIsMissing.self,
    NotAnalysed.self,
    DamagedCheckpoint.self,
    RunIndexIsLost.self,
    BarelyTrained.self,
    UpdateVelocity.self,
    ShiftVelocity.self,
    VelocityJump.self,
    NormRunningAway.self,
    EffectiveRankFalling.self,
    SeriesChanged.self,
    TwoRuns.self,
    PrincipalLock.self,
    MinorToPrincipalSwing.self,
    SubspaceDrift.self,
    Intruders.self,
    RewardCollapsed.self,
    RewardFalling.self,
    CollapseConfirmed.self,
    KLVelocity.self,
    KLLevel.self,
    EntropyRising.self,
    EntropyExhausted.self,
    GradientSpike.self,
    AllGroupsFail.self,
    AllGroupsPass.self,
    LengthRunaway.self,
    LossRising.self,
    HiddenNonFinite.self,
    LoggedNonFinite.self,
    DamagedLog.self,
    WrongBase.self,
    StartIsUnknown.self,
    RandomisedStart.self,
    ConvertedAdapter.self,
    MergeWroteAlphaZero.self,
    ResidualBeyondSignal.self,
    StartIsRecomputed.self,
    BaseDiffers.self,
    DisabledAdapterReference.self,
    UnflaggedStart.self,
  ]

  /// The kind with a code, such as `SP201`, or a name, such as `update-velocity`; capitals do not matter.
  package static func kind(_ codeOrName: String) -> (any FindingKind.Type)? {
    let wanted = codeOrName.lowercased()
    return kinds.first { $0.page.code.lowercased() == wanted || $0.page.name == wanted }
  }

  /// The family of a code, by its hundreds.
  package static func family(of code: String) -> String {
    switch code.prefix(3) {
    case "SP1": "did it train at all"
    case "SP2": "spectrum and velocity of the update"
    case "SP3": "geometry against the base"
    case "SP4": "behaviour"
    default: "loading and conversion"
    }
  }
}
