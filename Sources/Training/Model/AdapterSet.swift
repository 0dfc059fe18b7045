import Adapters
import LinearAlgebra
import OrderedCollections
import Weights

/// The adapters of a model: one method over a choice of its linear layers, all parameters in one flat buffer.
package struct AdapterSet<S: TransformerScalar>: Sendable {
  /// One adapted linear layer.
  package struct Module: Sendable {
    /// The base weight's place in the model's parameters.
    package let entry: DecoderLayout.Entry
    /// Its number among the layout's linear layers.
    let number: Int
    package let weight: any AdaptedWeight<S>
    /// Its parameters in the flat buffer.
    package let range: Range<Int>

    /// The dotted path of the base model's module.
    package var path: String { entry.module }
  }

  package let method: AdapterMethod
  package let options: AdapterOptions
  package private(set) var modules: [Module] = []
  package var parameters: [S] = []

  /// The linear layers of a decoder, as `targets` names them.
  package static var allTargets: [String] {
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
  }

  /// Adapts the linear layers whose names are among `targets`, each with a random start of its own.
  ///
  /// - Parameter base: the model's parameters in the order of `layout`; read, never changed.
  /// - Throws: `LinearAlgebraError` where a start needs a decomposition that fails.
  package init(
    method: AdapterMethod, options: AdapterOptions, targets: [String], layout: DecoderLayout, base: [S], seed: Int
  ) throws(LinearAlgebraError) {
    self.method = method
    self.options = options
    for (number, entry) in layout.linearEntries.enumerated() {
      guard targets.contains(where: { entry.module.hasSuffix("." + $0) }) else { continue }
      let weight = Matrix(rows: entry.shape[0], columns: entry.shape[1], elements: Array(base[entry.range]))
      var generator = SeededGenerator(stream: .adapterStart, seed, number)
      let adapted = try method.adapting(weight, options: options, generator: &generator)
      let start = adapted.start
      modules.append(
        Module(
          entry: entry, number: number, weight: adapted, range: parameters.count..<parameters.count + start.count))
      parameters += start
    }
  }

  /// Which gradients training needs: of factors where the method has them, else of the whole weight.
  package func plan(_ layout: DecoderLayout) -> GradientPlan {
    var linear = [GradientPlan.Linear](repeating: .none, count: layout.linearEntries.count)
    for module in modules {
      let span = module.weight.factorSpan?.moved(by: module.range.lowerBound)
      linear[module.number] = span.map { .factored($0) } ?? .dense
    }
    return GradientPlan(linear: linear)
  }

  /// Writes every module's effective weight to its place among the model's parameters.
  package func writeEffectiveWeights(into weights: UnsafeMutablePointer<S>) {
    parameters.withUnsafeBufferPointer { all in
      for module in modules {
        module.weight.effectiveWeight(
          all.baseAddress! + module.range.lowerBound, into: weights + module.entry.offset)
      }
    }
  }

  /// Adds to `gradient` what the dense gradients of effective weights mean for the parameters.
  func pullBack(_ dense: UnsafePointer<S>, into gradient: inout [S]) {
    parameters.withUnsafeBufferPointer { all in
      gradient.withUnsafeMutableBufferPointer { out in
        for module in modules where module.weight.factorSpan == nil {
          let first = module.range.lowerBound
          module.weight.pullBack(
            dense + module.entry.offset, all.baseAddress! + first, into: out.baseAddress! + first)
        }
      }
    }
  }

  /// The tensors as they are now.
  package func snapshot(step: Int) -> AdapterSnapshot {
    var result: OrderedDictionary<String, [AdapterSnapshot.Tensor]> = [:]
    for module in modules {
      var offset = module.range.lowerBound
      result[module.path] = module.weight.tensors.map { name, shape in
        let count = shape.reduce(1, *)
        defer { offset += count }
        let values = S.doubles(Array(parameters[offset..<offset + count])).map { Float($0) }
        return AdapterSnapshot.Tensor(name: name, shape: shape, values: values)
      }
    }
    return AdapterSnapshot(step: step, modules: result)
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
