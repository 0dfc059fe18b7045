import Adapters
import LinearAlgebra
import Spectra
import Synchronization
import Weights

/// The weights of a base model whose bases are to be made, and what it takes.
package struct BasisPlan: Sendable {
  private let base: BaseModel
  private let folder: BasisFolder
  private let kept: KeptVectors
  private let jobs: Int
  /// The matrices of the model but embeddings and output layers, by tensor name.
  package let tensors: [String]

  /// - Parameter shard: whose part of them it is; nil for all.
  /// - Throws: `FileError` where the base cannot be opened or has no weight matrix.
  package init(
    base path: String, folder: BasisFolder, keeping kept: KeptVectors, jobs: Int, shard: Shard? = nil
  ) throws(FileError) {
    base = try BaseModel(path: path)
    (self.folder, self.kept, self.jobs) = (folder, kept, jobs)
    var tensors: [String] = []
    for name in base.tensorNames where name.hasSuffix(".weight") && !Self.isVocabulary(name) {
      let shape = try base.shape(of: name)
      if shape.count == 2, shape.allSatisfy({ $0 > 1 }) { tensors.append(name) }
    }
    var costs: [String: Int] = [:]
    for name in tensors { costs[name] = try Self.cost(of: base.shape(of: name)) }
    guard !tensors.isEmpty else {
      throw FileError(
        .badContent, path: path, "expected weight matrices, found none", remedy: "Pass a base model's folder")
    }
    tensors.sort { (-costs[$0]!, $0) < (-costs[$1]!, $1) }
    self.tensors = shard?.part(of: tensors) { Double(costs[$0]!) } ?? tensors
  }

  /// What a decomposition takes, in the products of a Gram matrix.
  private static func cost(of shape: [Int]) -> Int { shape[0] * shape[1] * min(shape[0], shape[1]) }

  /// Embeddings and output layers are seldom adapted, and cost more than all the rest.
  static func isVocabulary(_ name: String) -> Bool {
    let module = name.split(separator: ".").dropLast().last.map(String.init) ?? ""
    return AdapterFolder.isEmbedding(named: module) || ["lm_head", "embed_out", "output", "score"].contains(module)
  }

  /// What will be done, and what memory it takes at most.
  package var notice: String {
    "\(tensors.count) weights of \(base.path), into \(folder.path); memory up to \(MemoryNotice.text(bytes: memory))"
  }

  private var memory: Int {
    let shapes = tensors.compactMap { name in try? base.shape(of: name) }
    let decompositions = MemoryNotice.bytes(orders: shapes.map { $0.min()! }, jobs: jobs)
    // All vectors of the longer side are held thrice while they are made orthonormal.
    guard kept.keepsAll else { return decompositions }
    return shapes.map { 3 * 8 * $0[0] * $0[1] }.sorted(by: >).prefix(jobs).reduce(decompositions, +)
  }

  /// How it ended.
  package struct Outcome: Sendable {
    package var computed = 0
    package var kept = 0
    /// Weights that could not be used.
    package var failures: [FileError] = []

    package func json(folder: String) -> JSONValue {
      [
        "out": .string(folder), "computed": .integer(computed), "kept": .integer(kept),
        "failures": .array(failures.map { .string("\($0)") }),
      ]
    }
  }

  /// Makes every basis that is not there; the largest weights first, so that workers end together.
  ///
  /// - Throws: `MeasurementPlan.Interrupted`, or `FileError` where the folder cannot be written.
  package func run(
    shouldStop: @escaping @Sendable () -> Bool, report: @escaping @Sendable (MeasurementPlan.Progress) -> Void
  ) throws -> Outcome {
    PendingFile.removeAbandoned(in: folder.path) { $0.hasSuffix(BasisFolder.suffix) }
    let state = Mutex(Outcome())
    @Sendable func done(_ outcome: Outcome) -> MeasurementPlan.Progress {
      .init(
        done: outcome.computed + outcome.kept + outcome.failures.count, resumed: outcome.kept, total: tensors.count)
    }
    if folder.verifies { KeptNorms.forget(in: folder) }
    try forEachConcurrently(tensors, workers: jobs, shouldStop: shouldStop) { name in
      let result = try make(name)
      report(
        state.withLock { outcome in
          switch result {
          case .success(.computed): outcome.computed += 1
          case .success(.kept): outcome.kept += 1
          case .failure(let error): outcome.failures.append(error)
          }
          return done(outcome)
        })
    }
    let outcome = state.withLock { $0 }
    guard done(outcome).done == tensors.count else {
      throw MeasurementPlan.Interrupted(progress: done(outcome), journal: folder.path)
    }
    return outcome
  }

  private func make(_ name: String) throws -> Result<BasisFolder.Origin, FileError> {
    let module = String(name.dropLast(".weight".count))
    let match = ModuleMatcher.Match(module: module, tensor: name)
    do throws(FileError) {
      let tensor = try BaseTensor(base, match)
      return .success(try prepare(tensor))
    } catch {
      guard error.isAboutContent else { throw error }
      return .failure(error)
    }
  }

  private func prepare(_ tensor: BaseTensor) throws(FileError) -> BasisFolder.Origin {
    do {
      return try folder.basis(of: tensor, keeping: kept).1
    } catch {
      throw FileError.wrapping(error, path: base.path, object: tensor.match.tensor)
    }
  }
}

/// How much memory decompositions take at most.
enum MemoryNotice {
  /// 256 MiB, and for every worker three matrices of the square of the smaller side in Float64.
  static func bytes(orders: [Int], jobs: Int) -> Int {
    let largest = orders.sorted(by: >).prefix(jobs)
    return largest.reduce(256 << 20) { $0 + 3 * 8 * $1 * $1 }
  }

  static func text(bytes: Int) -> String { "\((bytes + (1 << 20) - 1) >> 20) MiB" }
}

extension MeasurementPlan {
  /// What decomposing the base's weights will take in memory; nil where the depth needs none.
  package func memoryNotice(_ options: MeasurementOptions) throws(FileError) -> String? {
    guard depth != .update else { return nil }
    let orders = try modules.map { module throws(FileError) in try BaseTensor(base, module.match).smallerDimension }
    guard let largest = orders.max(), largest > KeptVectors.orderKeptWhole else { return nil }
    let folder = options.basis.map { " in \($0.path)" } ?? ""
    return "the spectral basis of \(orders.count) weights\(folder) takes up to "
      + MemoryNotice.text(bytes: MemoryNotice.bytes(orders: orders, jobs: options.jobs))
  }
}

extension FileError {
  /// Any error as one of a file; never inlined, as the cast in `ModuleMeasurement`.
  @inline(never)
  static func wrapping(_ error: any Error, path: String, object: String) -> FileError {
    (error as? FileError) ?? FileError(.badContent, path: path, object: object, "\(error)")
  }
}
