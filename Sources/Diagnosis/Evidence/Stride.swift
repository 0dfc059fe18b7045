import Foundation
import Spectra

/// How far one step moved the weights, in units in which runs of every method and length compare.
///
/// Sizes are summed over modules in quadrature, √Σ(‖δW‖_F/‖W₀‖_F)²: a model of more layers is moved as far by smaller steps of each. They
/// are divided by what Adam's own steps do while its moments fill, 0.2 + 0.8/√t at its t-th: its first step has the size of the rate in every
/// entry, later ones that of the gradient's mean against its spread. A refused update is none of Adam's.
package struct Stride: Equatable, Sendable {
  package var step: Int
  /// The updates up to it that stand: fewer than steps where some were refused.
  package var updates: Int
  /// The steps that it is the mean of.
  package var stretch: Int
  /// √Σ(‖δW‖_F/‖W₀‖_F)² a step.
  package var size: Double
  /// The same of Σ(uⱼᵀδWvⱼ)²: how far singular values move. Nil where it was not measured, or follows from the size by construction.
  package var shift: Double?

  /// - Parameter refused: how many updates up to the step were taken back.
  package init(step: Int, stretch: Int, size: Double, shift: Double?, refused: Int = 0) {
    (self.step, self.stretch, self.size, self.shift) = (step, stretch, size, shift)
    updates = step - refused
  }

  /// 0.2 + 0.8/√t, at the middle of the stretch.
  package var usual: Double { 0.2 + 0.8 / max(1, Double(updates) - Double(stretch - 1) / 2).squareRoot() }

  /// Size and shift in units of what is usual at the step.
  package var relativeSize: Double { size / usual }
  package var relativeShift: Double? { shift.map { $0 / usual } }
}

extension RunEvidence {
  /// Of every step that training logged, or else of every stretch between checkpoints.
  package var strides: [Stride] {
    let logged = timeline.records.compactMap(stride(of:))
    if !logged.isEmpty { return logged }
    return checkpoints.compactMap { step in
      let rows = rows(.previous, at: step)
      return stride(
        step, stretch(to: step), size: norm(rows.compactMap { $0.metrics[.updateVelocity] }),
        shift: norm(rows.compactMap { $0.metrics[.shiftVelocity] }, of: rows.count))
    }
  }

  /// As training logged it, as a whole or by module.
  private func stride(of record: Timeline.Record) -> Stride? {
    if let size = record.values["update_stride"] {
      return stride(record.step, 1, size: size, shift: record.values["shift_stride"])
    }
    guard let sizes = record.modules["update_velocity_by_module"] else { return nil }
    let shifts = record.modules["shift_velocity_by_module"] ?? [:]
    return stride(record.step, 1, size: norm(Array(sizes.values)), shift: norm(Array(shifts.values), of: sizes.count))
  }

  private func stride(_ step: Int, _ stretch: Int, size: Double?, shift: Double?) -> Stride? {
    guard step > 0, let size else { return nil }
    // Scaled rows or columns carry singular values along: a shift says nothing of its own.
    return Stride(
      step: step, stretch: stretch, size: size, shift: StartDirections.followsSpectrum(method) ? nil : shift,
      refused: refusedUpdates(by: step))
  }

  /// How many updates up to a step the run's own gate has taken back.
  func refusedUpdates(by step: Int) -> Int { timeline.refused.partitioningIndex { $0 > step } }

  /// Nil for no values, or for fewer than there should be.
  private func norm(_ values: [Double], of count: Int? = nil) -> Double? {
    guard !values.isEmpty, count.map({ $0 == values.count }) ?? true else { return nil }
    return values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }
}
