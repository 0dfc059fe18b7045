import Weights

/// Something about an adapter on disk that its reader should know, found while reading it.
package struct AdapterRemark: Equatable, Hashable, Sendable {
  /// What was noticed; `Diagnosis` gives each kind its code, name and severity.
  package enum Kind: String, CaseIterable, Sendable {
    case bIsZero, nonFinite, alphaIsZero, alphaIsMissing, matchesNoModule, rankOffConfiguration
    case notAnalysed, damagedCheckpoint, seriesChanged
    case startIsUnknown, startIsRecomputed, convertedAdapter
    case runIndexIsLost, baseDiffers, startIsNotOfBase, damagedLog, trainedUnderAlphaZero
  }

  package var kind: Kind
  /// The checkpoint's step; nil when it concerns the series.
  package var step: Int?
  /// The module it concerns; nil when it concerns several or all.
  package var module: String?
  package var value: Double?
  package var message: String

  package init(_ kind: Kind, step: Int? = nil, module: String? = nil, value: Double? = nil, _ message: String) {
    self.kind = kind
    self.step = step
    self.module = module
    self.value = value
    self.message = message
  }
}

extension AdapterRemark.Kind {
  /// The kind for a tensor that could not be used: because of its values, or for any other reason.
  package static func unusable(_ error: FileError) -> AdapterRemark.Kind {
    error.kind == .nonFinite ? .nonFinite : .damagedCheckpoint
  }
}
