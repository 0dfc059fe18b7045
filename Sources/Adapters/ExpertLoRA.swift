import LinearAlgebra
import Weights

/// LoRA of a parameter that holds a matrix for each of E experts (PEFT's `target_parameters`): one module an expert.
///
/// `lora_A` is [E·r, input], the experts one below the other; `lora_B` is [output, r·E], in which the expert is the faster index.
/// The file does not name the parameter. Where several of one layer are trained PEFT nests its wrappers, so that their paths end in
/// `.base_layer`; which is which the shapes tell.
package enum StoredExpertLoRA: StoredMethod {
  package static let type = "LORA"
  package static let method = AdapterMethod.lora
  package static let parts: Set = ["lora_A", "lora_B"]

  package static func owns(_ found: FoundTensors) -> Bool { !parameters(found).isEmpty }

  /// The names of the parameters that the configuration targets in this layer. What is called `weight` is a layer's own weight.
  private static func parameters(_ found: FoundTensors) -> [String] {
    let path = layer(found.path)
    return found.configuration.targetParameters.compactMap { target in
      let parts = target.split(separator: ".")
      guard let name = parts.last, name != "weight" else { return nil }
      let parent = parts.dropLast().joined(separator: ".")
      return path == parent || path.hasSuffix("." + parent) ? String(name) : nil
    }
  }

  private static func layer(_ path: String) -> String { path.replacing(".base_layer", with: "") }

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    var module = try StoredLoRA.module(found)
    let (path, configuration) = (layer(found.path), found.configuration)
    let names = parameters(found)
    let settings = Set(
      names.map { [Double(configuration.rank(of: path + "." + $0)), configuration.scaling(of: path + "." + $0)] })
    guard settings.count == 1, let rank = settings.first.map({ Int($0[0]) }), module.rank! % rank == 0 else {
      throw UnfitModule("the \(module.rank!) rows of lora_A are no whole number of experts of the configured rank")
    }
    module.stored = StoredForm(Self.self)
    module.experts = AdapterFolder.Module.Experts(layer: path, parameters: names, count: module.rank! / rank)
    (module.rank, module.configuredRank, module.scaling) = (rank, rank, settings.first![1])
    return module
  }

  package static func matches(
    of module: AdapterFolder.Module, isFanInFanOut: Bool, in matcher: ModuleMatcher
  ) throws(ModuleMatcher.Mismatch) -> [ModuleMatcher.Match] {
    try matcher.experts(of: module)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    // The last part of the match's name is the expert.
    let (rank, experts) = (module.rank!, module.experts!.count)
    let expert = match.module.split(separator: ".").last.flatMap { Int($0) }!
    let a = try folder.matrix("lora_A", of: module)
    let b = try folder.matrix("lora_B", of: module)
    var own = Matrix<Double>(rows: b.rows, columns: rank)
    for i in 0..<b.rows {
      for j in 0..<rank { own.elements[i * rank + j] = b.elements[i * b.columns + j * experts + expert] }
    }
    return LoRAFactors(
      b: own, a: Matrix(a.view[expert * rank..<(expert + 1) * rank, 0..<a.columns]), scaling: module.scaling!,
      format: module.format)
  }
}
