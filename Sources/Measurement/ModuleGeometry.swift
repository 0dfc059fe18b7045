import Adapters
import LinearAlgebra
import Spectra
import Weights

/// Holds one module's updates against its base weight, checkpoint after checkpoint.
struct ModuleGeometry {
  private let frame: GeometryFrame
  private let tensor: BaseTensor
  /// The base weight, read when an update is first not zero.
  private var weight: CompactMatrix?
  /// Squared norms of its rows and columns, for methods that scale them.
  private var norms: (rows: [Double], columns: [Double])?
  /// The leading subspaces of W_eff at the checkpoint before; nil where they are not known.
  private var before: UpdatedSubspace?

  init(basis: SpectralBasis, tensor: BaseTensor, k: Int, isFull: Bool) {
    frame = GeometryFrame(basis: basis, k: k, isFull: isFull)
    self.tensor = tensor
  }

  var basis: SpectralBasis { frame.basis }

  /// What the geometry adds to the row of an update.
  struct Columns {
    var metrics: MetricValues
    var profile: [ProfileBin] = []
    var updatedValues: [Double] = []
    /// The leading subspaces of W₀ + ΔW; for a zero update those of W₀, nil where they were not asked for.
    var subspace: UpdatedSubspace?
  }

  /// What an update is the difference of.
  enum Relation {
    /// W_eff − W₀, or the like: it can be added to W₀.
    case base
    /// W_eff(now) − W_eff(before); `now` are the leading subspaces of the former. `isFirst` where W₀ stands before.
    case previous(now: UpdatedSubspace?, isFirst: Bool, steps: Int?)

    var isPrevious: Bool {
      if case .previous = self { true } else { false }
    }
  }

  /// The columns of one update.
  mutating func columns(
    of update: ModuleUpdate, _ spectrum: UpdateSpectrum, into metrics: MetricValues, _ relation: Relation
  ) throws -> Columns {
    var columns = Columns(metrics: metrics)
    let null = try null(update.reach)
    columns.metrics.add(gapsOf: frame, spectralNorm: spectrum.spectralNorm, isPrevious: relation.isPrevious)
    guard spectrum.spectralNorm > 0 else {
      columns.metrics.add(nil, null: null, basis: basis, k: frame.k)
      if case .previous(_, _, let steps) = relation, steps != nil {
        (columns.metrics[.shiftVelocity], columns.metrics[.rotationVelocity]) = (0, 0)
      }
      if frame.isFull { columns.profile = ProfileBin.profile(of: nil, in: basis, null: null) }
      if !relation.isPrevious {
        columns.subspace = frame.unmoved
        columns.updatedValues = frame.isFull ? basis.values : []
      }
      return columns
    }
    let directed = try directed(update, spectrum)
    let pulled = try pulled(directed, relation)
    let shares = EnergyShares(of: directed, at: frame.ends, pulled: pulled)
    columns.metrics.add(shares, null: null, basis: basis, k: frame.k)
    if spectrum.numericalRank > 0 { columns.metrics.add(try Alignment(of: directed, with: basis, k: frame.k)) }
    if frame.isFull { columns.profile = ProfileBin.profile(of: directed, in: basis, null: null) }
    switch relation {
    case .base: try addDrift(of: directed, pulled: pulled, to: &columns)
    case .previous(let now, let isFirst, let steps):
      let start = before ?? (isFirst ? frame.unmoved : nil)
      try addVelocities(of: directed, from: start, to: now, steps: steps, into: &columns.metrics)
    }
    return columns
  }

  private mutating func addDrift(of update: DirectedUpdate, pulled: PulledVectors, to columns: inout Columns) throws {
    let drift = try WeightDrift(of: update, base: heldWeight(), in: frame, pulled: pulled)
    columns.metrics.add(try Rotation(from: frame.unmoved, to: drift.subspace, k: frame.k))
    if let gap = frame.gapRank {
      columns.metrics.add(atGap: try Rotation(from: frame.unmoved, to: drift.subspace, k: gap))
    }
    columns.metrics.add(drift, basis: basis)
    columns.subspace = drift.subspace
    columns.updatedValues = drift.values ?? []
  }

  private func addVelocities(
    of update: DirectedUpdate, from start: UpdatedSubspace?, to now: UpdatedSubspace?, steps: Int?,
    into metrics: inout MetricValues
  ) throws {
    if let steps, basis.frobeniusNorm > 0, let shift = update.firstOrderShift(in: basis, k: frame.k) {
      metrics[.shiftVelocity] = shift / basis.frobeniusNorm / Double(steps)
    }
    guard let start, let now else { return }
    let rotation = try Rotation(from: start, to: now, k: frame.k)
    metrics.add(rotation)
    if let steps { metrics[.rotationVelocity] = rotation.largest.map { $0 / Double(steps) } }
  }

  /// Makes these the leading subspaces that the next checkpoint is compared with.
  mutating func advance(to subspace: UpdatedSubspace?) { before = subspace }

  // MARK: Parts

  private func directed(_ update: ModuleUpdate, _ spectrum: UpdateSpectrum) throws -> DirectedUpdate {
    switch update.content {
    case .factored(let product) where product.terms <= min(product.rows, product.columns):
      try DirectedUpdate(of: product, spectrum: spectrum)
    case .factored(let product):
      try DirectedUpdate(of: product.dense(), spectrum: spectrum, vectors: frame.k)
    case .dense(let difference, _): try DirectedUpdate(of: difference, spectrum: spectrum, vectors: frame.k)
    }
  }

  private mutating func heldWeight() throws -> CompactMatrix {
    if let weight { return weight }
    let read = try tensor.compact()
    weight = read
    return read
  }

  /// Products of W₀ with the update's vectors: what tells the null space of a W₀ that is not square, and where it can be added to W₀
  /// what the leading subspaces of the sum follow from.
  private mutating func pulled(_ update: DirectedUpdate, _ relation: Relation) throws -> PulledVectors {
    var pulled = PulledVectors()
    let isTall = basis.rows > basis.columns
    if basis.gramFactor != nil || (basis.whole != nil && basis.rows != basis.columns && !basis.keepsAll) {
      pulled.add(update, to: isTall ? .right : .left, by: try heldWeight(), in: basis)
    }
    guard case .factored = update.form, !relation.isPrevious, basis.order > WeightDrift.orderAlwaysDense else {
      return pulled
    }
    if let whole = basis.whole {
      pulled.add(update, to: whole.side, by: try heldWeight(), in: basis)
    } else if !frame.isFull {
      pulled.add(update, to: .right, by: try heldWeight(), in: basis)
    }
    return pulled
  }

  private mutating func null(_ reach: UpdateReach) throws -> EnergyNull {
    switch reach {
    case .everything: return .isotropic
    case .frozenRows(let rows): return .frozenRows(rows)
    case .rowScaling: return .rowScaling(try weightNorms().rows)
    case .columnScaling: return .columnScaling(try weightNorms().columns)
    }
  }

  private mutating func weightNorms() throws -> (rows: [Double], columns: [Double]) {
    if let norms { return norms }
    let found = try heldWeight().squaredNorms()
    norms = found
    return found
  }
}
