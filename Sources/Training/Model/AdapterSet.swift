import Adapters
import LinearAlgebra
import OrderedCollections
import Weights

/// The adapters of a model: one method over a choice of its layers, all parameters in one flat buffer.
package struct AdapterSet<S: TransformerScalar>: Sendable {
  /// One adapted layer.
  package struct Module: Sendable {
    /// The base weight's place in the model's parameters.
    package let entry: DecoderLayout.Entry
    /// That of its bias, where the method changes it.
    let bias: DecoderLayout.Entry?
    /// Its number among the layout's linear layers; nil for a norm.
    let number: Int?
    package let weight: any AdaptedWeight<S>
    /// Its parameters in the flat buffer.
    package let range: Range<Int>

    /// The dotted path of the base model's module.
    package var path: String { entry.module }

    /// The tensors with their ranges in the flat buffer.
    package var tensorRanges: [(tensor: AdapterTensor, range: Range<Int>)] {
      var first = range.lowerBound
      return weight.tensors.map { tensor in
        defer { first += tensor.count }
        return (tensor, first..<first + tensor.count)
      }
    }
  }

  package let method: AdapterMethod
  package let options: ResolvedAdapterOptions
  package private(set) var modules: [Module] = []
  /// Frozen tensors of all modules together.
  package let shared: [SharedTensor<S>]
  package var parameters: [S] = []

  /// Adapts the layers whose names are among `targets`, each with a random start of its own.
  ///
  /// - Parameters:
  ///   - targets: the ends of their paths; the method's own choice where nil.
  ///   - shared: what modules share, where it is not to be drawn.
  ///   - base: the model's parameters in the order of `layout`; read, never changed.
  /// - Throws: `LinearAlgebraError` where a start needs a decomposition that fails.
  package init(
    method: AdapterMethod, options: AdapterOptions, targets: [String]?, layout: DecoderLayout, base: [S], seed: Int,
    shared given: [SharedTensor<S>]? = nil
  ) throws(LinearAlgebraError) {
    guard let trained = method.trained else { preconditionFailure("\(method) is not trained") }
    self.method = method
    self.options = options.resolved(for: method)
    let entries = Self.entries(of: method, targets: targets, in: layout)
    var generator = SeededGenerator(stream: .sharedTensors, seed)
    shared =
      given
      ?? trained.shared(
        rows: entries.map { $0.shape[0] }.max() ?? 0, columns: entries.map { $0.shape.last! }.max() ?? 0,
        options: self.options, generator: &generator)
    let numbers = Dictionary(uniqueKeysWithValues: layout.linearEntries.enumerated().map { ($1.name, $0) })
    let biases = Dictionary(
      uniqueKeysWithValues: layout.entries.filter { $0.name.hasSuffix(".bias") }.map { ($0.module, $0) })
    for entry in entries {
      let (rows, columns) = (entry.shape.count == 1 ? 1 : entry.shape[0], entry.shape.last!)
      let bias = biases[entry.module]
      let layer = LayerToAdapt(
        path: entry.module, weight: Matrix(rows: rows, columns: columns, elements: Array(base[entry.range])),
        bias: bias.map { Array(base[$0.range]) }, shared: shared)
      var generator = SeededGenerator(stream: .adapterStart, seed, numbers[entry.name] ?? entry.offset)
      let adapted = try trained.adapting(layer, options: self.options.at(entry.module), generator: &generator)
      let start = adapted.start
      modules.append(
        Module(
          entry: entry, bias: adapted.changesBias ? bias : nil, number: numbers[entry.name], weight: adapted,
          range: parameters.count..<parameters.count + start.count))
      parameters += start
    }
  }

  /// The weights that a method adapts, in the order of the layout.
  package static func entries(
    of method: AdapterMethod, targets: [String]?, in layout: DecoderLayout
  ) -> [DecoderLayout.Entry] {
    guard let trained = method.trained else { return [] }
    let targets = targets ?? trained.targets(ofFamily: layout.configuration.family.rawValue)
    let candidates =
      switch trained.layers {
      case .linear: layout.linearEntries
      case .norms: layout.entries.filter { $0.name.hasSuffix("norm.weight") }
      }
    return candidates.filter { entry in
      targets.contains { entry.module == $0 || entry.module.hasSuffix("." + $0) }
    }
  }
}

// MARK: - For training

extension AdapterSet {
  /// Which gradients training needs: of factors where the method has them, else of the whole weight.
  package func plan(_ layout: DecoderLayout) -> GradientPlan {
    var linear = [GradientPlan.Linear](repeating: .none, count: layout.linearEntries.count)
    for module in modules {
      guard let number = module.number else { continue }
      let span = module.weight.factorSpan?.moved(by: module.range.lowerBound)
      linear[number] = span.map { .factored($0) } ?? .dense
    }
    return GradientPlan(linear: linear, wantsVectors: modules.contains { $0.number == nil || $0.bias != nil })
  }

  /// Which of the layout's linear layers are adapted.
  func isAdapted(_ layout: DecoderLayout) -> [Bool] {
    var result = [Bool](repeating: false, count: layout.linearEntries.count)
    for module in modules { if let number = module.number { result[number] = true } }
    return result
  }

  /// Writes every module's effective weight, and bias, to its place among the model's parameters.
  package func writeEffectiveWeights(into weights: UnsafeMutablePointer<S>) {
    parameters.withUnsafeBufferPointer { all in
      for module in modules {
        let own = all.baseAddress! + module.range.lowerBound
        module.weight.effectiveWeight(own, into: weights + module.entry.offset)
        if let bias = module.bias { module.weight.effectiveBias(own, into: weights + bias.offset) }
      }
    }
  }

  /// True where every module's effective weight is its frozen one and a product of two factors.
  var areFactored: Bool { modules.allSatisfy { $0.weight.factorSpan != nil } }

  /// Writes every module's frozen weight to its place among the model's parameters.
  func writeFrozenWeights(into weights: UnsafeMutablePointer<S>) {
    for module in modules {
      let frozen = module.weight.frozenWeight.elements
      (weights + module.entry.offset).update(from: frozen, count: frozen.count)
    }
  }

  /// Writes W_eff − W_frozen of every module, whose W_eff stands in `weights`, to its place.
  func writeBranches(of weights: UnsafePointer<S>, into branches: UnsafeMutablePointer<S>) {
    for module in modules {
      let frozen = module.weight.frozenWeight.elements
      for (index, place) in module.entry.range.enumerated() { branches[place] = weights[place] - frozen[index] }
    }
  }

  /// Adds to `gradient` what the dense gradients of effective weights and biases mean for the parameters.
  func pullBack(_ dense: UnsafePointer<S>, into gradient: inout [S]) {
    parameters.withUnsafeBufferPointer { all in
      gradient.withUnsafeMutableBufferPointer { out in
        for module in modules where module.weight.factorSpan == nil {
          let first = module.range.lowerBound
          module.weight.pullBack(
            dense + module.entry.offset, all.baseAddress! + first, into: out.baseAddress! + first)
          if let bias = module.bias {
            module.weight.pullBackBias(dense + bias.offset, into: out.baseAddress! + first)
          }
        }
      }
    }
  }

  /// Makes of the loss's gradient the one that the optimiser is given.
  ///
  /// - Throws: `LinearAlgebraError` where a method needs a decomposition that fails.
  package func precondition(_ gradient: inout [S]) throws(LinearAlgebraError) {
    guard method.trained!.preconditions else { return }
    for module in modules {
      var own = Array(gradient[module.range])
      try module.weight.precondition(&own, Array(parameters[module.range]))
      gradient.replaceSubrange(module.range, with: own)
    }
  }

  /// The parameters by learning rate, in their order.
  package var parameterGroups: [ParameterGroup] {
    modules.flatMap(\.tensorRanges).map { ParameterGroup(range: $1, rateFactor: $0.rateFactor) }
  }

  /// What allocates the ranks in a run of so many optimiser steps, where the method has it.
  package func allocator(stepCount: Int) -> RankAllocator<S>? {
    guard let allocation = method.trained?.allocation(options) else { return nil }
    let triplets = modules.map { module in
      let ranges = Dictionary(uniqueKeysWithValues: module.tensorRanges.map { ($0.tensor.name, $0.range) })
      return RankAllocator<S>.Triplets(a: ranges["lora_A"]!, b: ranges["lora_B"]!, e: ranges["lora_E"]!)
    }
    return RankAllocator(
      allocation, modules: triplets, targetRank: options.rank, stepCount: stepCount, parameterCount: parameters.count)
  }
}

// MARK: - As values

extension AdapterSet {
  /// The tensors as they are now; those that modules share belong to the module `base_model`, as in PEFT's names.
  package func snapshot(step: Int) -> AdapterSnapshot {
    var result: OrderedDictionary<String, [AdapterSnapshot.Tensor]> = [:]
    func floats(_ values: some Sequence<S>) -> [Float] { S.doubles(Array(values)).map { Float($0) } }
    for module in modules {
      result[module.path] = module.tensorRanges.map { tensor, range in
        AdapterSnapshot.Tensor(name: tensor.name, shape: tensor.shape, values: floats(parameters[range]))
      }
    }
    if !shared.isEmpty {
      result[AdapterSnapshot.sharedModule] = shared.map { tensor in
        AdapterSnapshot.Tensor(
          name: tensor.name, shape: [tensor.matrix.rows, tensor.matrix.columns],
          values: floats(tensor.matrix.elements))
      }
    }
    return AdapterSnapshot(step: step, modules: result)
  }

  /// Takes the parameters from a snapshot.
  ///
  /// - Returns: the tensor that the snapshot lacks or has in another shape, in which case nothing has changed; nil where all fit.
  package mutating func restore(_ snapshot: AdapterSnapshot) -> String? {
    var restored = parameters
    for module in modules {
      let stored = snapshot.modules[module.path] ?? []
      for (tensor, range) in module.tensorRanges {
        guard let found = stored.first(where: { $0.name == tensor.name }), found.shape == tensor.shape else {
          return module.path + "." + tensor.name
        }
        restored.replaceSubrange(range, with: found.values.lazy.map { S($0) })
      }
    }
    parameters = restored
    return nil
  }

  /// The largest ‖W_eff − W₀‖_F/‖W₀‖_F over the modules, in Float64, and where; at the start it is rounding alone.
  package func largestDistance(from base: [S]) throws(LinearAlgebraError) -> (module: String, distance: Double) {
    var worst = (module: "", distance: 0.0)
    for module in modules {
      let (rows, columns) = (module.weight.rows, module.weight.columns)
      var effective = Matrix<S>(rows: rows, columns: columns)
      module.weight.effectiveWeight(Array(parameters[module.range]), into: &effective.elements)
      let weight = Matrix<Double>(Matrix(rows: rows, columns: columns, elements: Array(base[module.entry.range])))
      let distance = try (Matrix<Double>(effective) - weight).frobeniusNorm()
      let norm = try weight.frobeniusNorm()
      if distance > worst.distance * norm { worst = (module.path, distance / norm) }
    }
    return worst
  }
}
