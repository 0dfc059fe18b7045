/// An approximation of the leading `rank` singular triplets by subspace iteration from a random start, without oversampling.
///
/// This is what `torch.svd_lowrank(a, q: rank, niter: iterations)` computes and PEFT's `pissa_niter_k` is built on (Halko,
/// Martinsson and Tropp 2011, algorithms 4.4 and 5.1). Where the spectrum decays slowly its subspace may be far from the leading one and
/// depends on the random numbers; use `singularValueDecomposition(of:vectors:)` for anything that is to be accurate.
///
/// - Parameter rank: at most min(rows, columns).
/// - Throws: `nonFinite` or `notConverged`. Cost O(rows·columns·rank·(iterations + 1)).
package func randomizedSVD<S: Scalar>(
  of a: Matrix<S>, rank: Int, iterations: Int, generator: inout SeededGenerator
) throws(LinearAlgebraError) -> SVD<S> {
  precondition(rank <= a.smallerDimension, "the rank of an approximation is at most that of the matrix")
  let isWide = a.rows < a.columns
  let tall = isWide ? a.transposed : a.view
  let start: Matrix<S> = generator.normalMatrix(rows: tall.columns, columns: rank)
  var basis = try householderQR(of: product(tall, start.view)).q
  for _ in 0..<iterations {
    let other = try householderQR(of: product(tall.transposed, basis.view)).q
    basis = try householderQR(of: product(tall, other.view)).q
  }
  let core = try singularValueDecomposition(of: product(basis.transposed, tall))
  let left = product(basis, core.u!)
  guard isWide else { return SVD(u: left, values: core.values, vTransposed: core.vTransposed) }
  return SVD(u: core.vTransposed!.transposedCopy(), values: core.values, vTransposed: left.transposedCopy())
}
