import LinearAlgebra

extension SeededGenerator {
  /// What random numbers are for. Each purpose has its own stream, so that one never shifts another.
  package enum Stream: UInt64, Sendable {
    case adapterStart = 1, problems, samples, heldOut, retention, evaluation, modelStart, curriculum, shuffle
    case dropout, sharedTensors
  }

  /// The generator of one purpose at one place, such as a seed, a step and a number: the same numbers whatever was drawn before,
  /// in whatever order places are visited, on however many threads.
  package init(stream: Stream, _ place: Int...) { self.init(stream: stream, at: place) }

  /// The same, with the place as an array: one that is longer is another place.
  package init(stream: Stream, at place: [Int]) {
    var state = stream.rawValue
    for part in place {
      var mixer = SeededGenerator(seed: state ^ UInt64(bitPattern: Int64(part)))
      state = mixer.next()
    }
    self.init(seed: state)
  }
}
