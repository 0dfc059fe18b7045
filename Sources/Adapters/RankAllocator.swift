import LinearAlgebra
import RealModule

/// What AdaLoRA does beside AdamW. The one owner of the defaults, which are PEFT's.
package struct AdaLoRAOptions: Equatable, Sendable {
  /// The rank of every module at the start; nil for one and a half times the configured one, as in PEFT's defaults.
  package var initialRank: Int?
  /// False for the fixed rank that trainers give which never call the allocator, and whose loss lacks the orthogonality term.
  package var allocates = true
  /// Steps before the budget begins to fall.
  package var initialSteps = 0
  /// Steps at the end with the final budget.
  package var finalSteps = 0
  /// Steps between two allocations.
  package var interval = 1
  /// β₁ of the importance's running mean, β₂ of its uncertainty's.
  package var beta1 = 0.85
  package var beta2 = 0.85
  /// The weight of mean(‖A·Aᵀ − I‖_F, ‖Bᵀ·B − I‖_F over all modules) in the loss.
  package var orthogonality = 0.5

  package init() {}
}

/// AdaLoRA's allocator (Zhang et al. 2023, section 3.2 and algorithm 1) as PEFT computes it: the least important triplets of all modules
/// are masked, E = 0, until the budget of the step is met. A masked triplet keeps A and B, and may come back.
package struct RankAllocator<S: TransformerScalar>: Sendable {
  /// Where the triplets of one module lie among all parameters.
  package struct Triplets: Sendable {
    package var a: Range<Int>
    package var b: Range<Int>
    package var e: Range<Int>

    package var count: Int { e.count }

    package init(a: Range<Int>, b: Range<Int>, e: Range<Int>) {
      (self.a, self.b, self.e) = (a, b, e)
    }
  }

  /// What has to be kept to go on later.
  package struct State: Equatable, Sendable {
    /// Ī and Ū of every parameter.
    package var importance: [S]
    package var uncertainty: [S]
    /// 1 for each triplet kept by the last allocation, in the order of the modules; empty before the first one.
    package var kept: [S]

    package init(importance: [S], uncertainty: [S], kept: [S]) {
      (self.importance, self.uncertainty, self.kept) = (importance, uncertainty, kept)
    }
  }

  package let options: AdaLoRAOptions
  package var state: State
  private let modules: [Triplets]
  private let finalBudget: Int
  private let stepCount: Int

  /// - Parameters:
  ///   - targetRank: what is left of each module on average.
  ///   - stepCount: optimiser steps of the whole run.
  ///   - parameterCount: of all modules together.
  package init(
    _ options: AdaLoRAOptions, modules: [Triplets], targetRank: Int, stepCount: Int, parameterCount: Int
  ) {
    self.options = options
    self.modules = modules
    finalBudget = targetRank * modules.count
    self.stepCount = stepCount
    let zeros = [S](repeating: 0, count: parameterCount)
    state = State(importance: zeros, uncertainty: zeros, kept: [])
  }

  private var initialBudget: Int { tripletCount }

  /// How many there are of all modules.
  package var tripletCount: Int { modules.reduce(0) { $0 + $1.count } }
  private var lastAllocation: Int { stepCount - options.finalSteps }

  /// How many triplets a step, counted from 1, may keep: cubic from all to the final budget.
  package func budget(at step: Int) -> Int {
    if step <= options.initialSteps { return initialBudget }
    if step > lastAllocation { return finalBudget }
    let share = 1 - Double(step - options.initialSteps) / Double(lastAllocation - options.initialSteps)
    return Int(Double(initialBudget - finalBudget) * (share * share * share) + Double(finalBudget))
  }

  /// Adds the gradient of the orthogonality term.
  package func addOrthogonality(_ parameters: [S], to gradient: inout [S]) {
    let weight = options.orthogonality / Double(2 * modules.count)
    for module in modules {
      let (r, n, m) = (module.count, module.a.count / module.count, module.b.count / module.count)
      let a = Matrix<S>(rows: r, columns: n, elements: Array(parameters[module.a]))
      add(weight, of: a, transposed: false, to: &gradient, at: module.a.lowerBound)
      let b = Matrix<S>(rows: m, columns: r, elements: Array(parameters[module.b]))
      add(weight, of: b.transposedCopy(), transposed: true, to: &gradient, at: module.b.lowerBound)
    }
  }

  /// ∂‖P·Pᵀ − I‖_F/∂P = 2·(P·Pᵀ − I)·P/‖P·Pᵀ − I‖_F, of P with a row for each triplet; `transposed` where the tensor is Pᵀ.
  private func add(
    _ weight: Double, of p: Matrix<S>, transposed: Bool, to gradient: inout [S], at offset: Int
  ) {
    var excess = product(p.view, p.transposed)
    for i in 0..<p.rows { excess[i, i] -= 1 }
    let norm = euclideanNorm(S.doubles(excess.elements))
    guard norm > 0 else { return }
    let slope = product(excess.view, p.view, alpha: S(2 * weight / norm))
    let values = transposed ? slope.transposedCopy().elements : slope.elements
    for (index, value) in values.enumerated() { gradient[offset + index] += value }
  }

  /// What PEFT's `update_and_allocate` does behind an optimiser step: renews the importances from the moved parameters and the gradient
  /// that moved them, and masks down to the budget.
  ///
  /// - Parameters:
  ///   - gradient: nil where nothing was learned, which says nothing of importance.
  ///   - step: counted from 1.
  package mutating func allocate(_ parameters: inout [S], gradient: [S]?, step: Int) {
    if step > lastAllocation {
      mask(&parameters)
    } else {
      // PEFT takes the importances of the last allocation from before its step.
      if let gradient, step < lastAllocation { renewImportance(parameters, gradient) }
      guard step > options.initialSteps, step == lastAllocation || step % options.interval == 0 else { return }
      keepMostImportant(budget(at: step))
      mask(&parameters)
    }
  }

  private mutating func renewImportance(_ parameters: [S], _ gradient: [S]) {
    let (beta1, beta2) = (S(options.beta1), S(options.beta2))
    for i in parameters.indices {
      let importance = abs(parameters[i] * gradient[i])
      let mean = beta1 * state.importance[i] + (1 - beta1) * importance
      state.importance[i] = mean
      state.uncertainty[i] = beta2 * state.uncertainty[i] + (1 - beta2) * abs(importance - mean)
    }
  }

  private mutating func keepMostImportant(_ budget: Int) {
    let scores = modules.flatMap(scores)
    let excess = initialBudget - budget
    guard excess > 0 else { return state.kept = Array(repeating: 1, count: scores.count) }
    let threshold = scores.sorted()[excess - 1]
    // Ties are cut, too.
    state.kept = scores.map { $0 <= threshold ? 0 : 1 }
  }

  /// Of each triplet: that of E, and the means of those of its row of A and its column of B.
  private func scores(_ module: Triplets) -> [S] {
    func score(_ i: Int) -> S { state.importance[i] * state.uncertainty[i] }
    let (r, n, m) = (module.count, module.a.count / module.count, module.b.count / module.count)
    return (0..<r).map { k in
      let a = (0..<n).reduce(S.zero) { $0 + score(module.a.lowerBound + k * n + $1) } / S(n)
      let b = (0..<m).reduce(S.zero) { $0 + score(module.b.lowerBound + $1 * r + k) } / S(m)
      return score(module.e.lowerBound + k) + a + b
    }
  }

  private func mask(_ parameters: inout [S]) {
    if state.kept.isEmpty { return }
    for (number, index) in modules.flatMap(\.e).enumerated() where state.kept[number] == 0 { parameters[index] = 0 }
  }
}
