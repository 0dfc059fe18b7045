import LinearAlgebra
import Testing
import Training
import Weights

/// AdamW and the clipping of gradients against PyTorch, step by step.
@Suite struct AdamWTests {
  @Test(arguments: [("plain", 0.0, false), ("decay", 0.1, false), ("clipped", 0.1, true)])
  func asPyTorchSteps(name: String, decay: Double, isClipped: Bool) throws {
    let file = try TensorFile(path: Oracle.folder + "/optimizer.safetensors")
    try follow(file, name, decay, isClipped, kind: "float64", as: Double.self, tolerance: 1e-13)
    // Twelve steps with a few roundings of numbers near 1 each.
    try follow(file, name, decay, isClipped, kind: "float32", as: Float.self, tolerance: 2e-6)
  }

  private func follow<S: TransformerScalar>(
    _ file: TensorFile, _ name: String, _ decay: Double, _ isClipped: Bool, kind: String, as: S.Type,
    tolerance: Double
  ) throws {
    let (gradients, expected) = (try file.doubles("gradients"), try file.doubles("\(name).\(kind)"))
    var parameters = try file.doubles("start").map { S($0) }
    let count = parameters.count
    var optimizer = AdamW<S>(count: count, options: AdamWOptions(weightDecay: decay))
    for step in 0..<12 {
      var gradient = gradients[step * count..<(step + 1) * count].map { S($0) }
      if isClipped {
        let norm = clipNorm(of: &gradient, to: 1)
        let reference = try file.doubles("clipped.norms.\(kind)")[step]
        #expect(abs(norm - reference) < tolerance * max(1, reference))
      }
      optimizer.step(&parameters, gradient: gradient, learningRate: 1e-2)
      for (ours, theirs) in zip(parameters, expected[step * count..<(step + 1) * count]) {
        #expect(abs(Double(ours) - theirs) < tolerance * max(1, abs(theirs)))
      }
    }
  }

  @Test func onlyTheGivenRangesDecay() {
    var parameters: [Double] = [1, 1, 1, 1, 1]
    var optimizer = AdamW<Double>(
      count: 5, options: AdamWOptions(weightDecay: 0.5),
      groups: [
        ParameterGroup(range: 0..<1, decays: false), ParameterGroup(range: 1..<3),
        ParameterGroup(range: 3..<4, decays: false), ParameterGroup(range: 4..<5, rateFactor: 0),
      ])
    optimizer.step(&parameters, gradient: [0, 0, 0, 0, 0], learningRate: 0.1)
    #expect(parameters == [1, 0.95, 0.95, 1, 1])
  }

  @Test func aGradientThatIsNotFiniteIsReported() {
    var gradient: [Float] = [1, .nan]
    #expect(clipNorm(of: &gradient, to: 1).isNaN)
  }
}
