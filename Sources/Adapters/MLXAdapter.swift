import LinearAlgebra
import Weights

/// MLX's adapters (mlx_lm): `lora_a` of input × r, `lora_b` of r × output, ΔW = scale·(lora_a·lora_b)ᵀ, and DoRA's magnitudes `m`,
/// one an output. `scale` is s itself.
package enum StoredMLX: StoredMethod {
  /// No `peft_type`: those are upper case.
  package static let type = "mlx"
  package static let method = AdapterMethod.lora
  package static let parts: Set = ["lora_a", "lora_b", "m"]
  package static let fields = ConfigurationFields(alpha: "scale", start: nil, hasPatterns: false)

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let (a, b) = (try found.shape("lora_a"), try found.shape("lora_b"))
    guard a[1] == b[0], (a + b).allSatisfy({ $0 > 0 }) else {
      throw UnfitModule("lora_a of \(a) and lora_b of \(b) do not fit each other")
    }
    var module = found.module(
      Self.self, rows: b[1], columns: a[0], rank: a[1], scaling: found.configuration.scaling(of: found.path))
    module.isEmbedding = AdapterFolder.isEmbedding(named: String(found.path.split(separator: ".").last ?? ""))
    guard found.names["m"] != nil else { return module }
    // The magnitudes of an embedding are those of its tokens, which are inputs.
    let magnitude = try found.shape("m", axes: 1)
    guard magnitude == [b[1]], !module.isEmbedding else {
      throw UnfitModule("expected \(b[1]) magnitudes, one an output, found \(magnitude)")
    }
    return module
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let factors = LoRAFactors(
      b: try folder.matrix("lora_b", of: module).transposedCopy(),
      a: try folder.matrix("lora_a", of: module).transposedCopy(), scaling: module.scaling!, format: module.format)
    guard module.tensors["m"] != nil else { return factors }
    return DoRAWeight(factors: factors, magnitude: try folder.values("m", of: module))
  }

  package static func isUntrained(
    _ module: AdapterFolder.Module, in folder: AdapterFolder
  ) throws(FileError) -> Bool {
    guard module.tensors["m"] == nil else { return false }
    return try folder.values("lora_b", of: module).allSatisfy { $0 == 0 }
  }
}

/// The files of an MLX adapter.
package enum MLXFolder {
  /// The latest weights.
  package static let weightsName = "adapters.safetensors"
  /// Those of a step: `0000100_adapters.safetensors`.
  private static let numberedSuffix = "_adapters.safetensors"

  /// The step of a numbered file.
  package static func step(ofFileNamed name: String) -> Int? {
    guard name.hasSuffix(numberedSuffix) else { return nil }
    let digits = name.dropLast(numberedSuffix.count)
    return !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) } ? Int(digits) : nil
  }

  /// True for a configuration that MLX wrote.
  static func isConfiguration(_ json: JSONValue) -> Bool {
    json["peft_type"] == nil && (json["fine_tune_type"] != nil || json["lora_parameters"] != nil)
  }

  /// Reads MLX's `adapter_config.json`: `fine_tune_type` and `lora_parameters` with `rank` and `scale`.
  ///
  /// - Throws: `FileError` where the file cannot be opened, is not MLX's, or a field that decides the update has no usable value.
  static func configuration(path: String) throws(FileError) -> PEFTConfiguration {
    let json = try JSONValue(contentsOf: path, allowingNonFinite: true)
    guard isConfiguration(json) else {
      throw FileError(
        .badContent, path: path, object: "fine_tune_type",
        "expected the configuration of an MLX adapter beside \(weightsName), found none",
        remedy: "Copy the adapter_config.json that mlx_lm wrote")
    }
    let type = json["fine_tune_type"]?.string ?? "lora"
    var configuration = PEFTConfiguration(type: type == "full" ? StoredWhole.type : StoredMLX.type)
    guard type != "full" else { return configuration }
    guard ["lora", "dora"].contains(type) else {
      throw FileError(
        .badContent, path: path, object: "fine_tune_type",
        "expected lora, dora or full, found \(FileError.quoted(type))")
    }
    let parameters = json["lora_parameters"]
    let scale = parameters?["scale"]?.double ?? json["lora_scale"]?.double
    if let scale, !scale.isFinite {
      throw FileError(.badContent, path: path, object: "scale", "expected a finite number, found \(scale)")
    }
    configuration.rank = parameters?["rank"]?.int ?? json["lora_rank"]?.int ?? 8
    configuration.statesAlpha = scale != nil
    // The default of mlx_lm.
    configuration.statedScaling = scale ?? 20
    configuration.usesDoRA = type == "dora"
    configuration.baseModel = json["model"]?.string
    return configuration
  }
}
