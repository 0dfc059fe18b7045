import LinearAlgebra
import Weights

/// AdaLoRA (Zhang et al. 2023, section 3.1) in PEFT's form: ΔW = α/(ρ + 1e-5)·B·diag(E)·A, where ρ is the rank that every module
/// began with (`init_r`; `r` means nothing here), whatever it has been cut to since.
///
/// E may be negative. Triplets that the allocator has masked have E = 0 and stay in the file until a module is cut for good, then
/// to as little as no triplet at all: `lora_A` of [0, columns].
package enum StoredAdaLoRA: StoredMethod {
  package static let type = "ADALORA"
  package static let method = AdapterMethod.adalora
  package static let parts: Set = ["lora_A", "lora_B", "lora_E"]
  /// `rank_pattern` holds lists of booleans here, which the tensors follow already.
  package static let fields = ConfigurationFields(rank: "init_r", defaultRank: 12, hasPatterns: false)

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let (a, b, e) = (try found.shape("lora_A"), try found.shape("lora_B"), try found.shape("lora_E"))
    guard a[0] == b[1], e == [a[0], 1], a[1] > 0, b[0] > 0 else {
      throw UnfitModule("lora_A of \(a), lora_B of \(b) and lora_E of \(e) do not fit each other")
    }
    let kept = try? found.weights.read(found.names["lora_E"]!, as: Double.self).count { $0 != 0 }
    return found.module(
      Self.self, rows: b[0], columns: a[1], rank: kept ?? a[0], scaling: scaling(found.configuration))
  }

  /// s = α/(ρ + 1e-5); PEFT takes ρ for an α that is not positive.
  private static func scaling(_ configuration: PEFTConfiguration) -> Double {
    let rho = Double(configuration.rank)
    return (configuration.alpha > 0 ? configuration.alpha : rho) / (rho + 1e-5)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let b = try folder.matrix("lora_B", of: module).scalingColumns(by: try folder.values("lora_E", of: module))
    return LoRAFactors(
      b: b, a: try folder.matrix("lora_A", of: module), scaling: module.scaling!, format: module.format)
  }
}
