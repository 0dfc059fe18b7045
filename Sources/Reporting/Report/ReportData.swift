import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Spectra
import Weights

/// What the page draws, as the one JSON object that it carries: names, packed numbers, and everything that was judged, so that scripts only
/// draw.
struct ReportData {
  let report: Report

  var json: JSONValue {
    [
      "version": 1, "metrics": .array(ReportMetric.all.map(Self.object)),
      "runs": .array(report.runs.map { RunData($0).json }),
      "comparison": report.comparison.map { ComparisonData(comparison: $0).json } ?? .null,
      "map": report.map.map(\.json) ?? .null,
    ]
  }

  private static func object(_ metric: ReportMetric) -> JSONValue {
    [
      "key": .string(metric.metric.rawValue), "title": .string(metric.title), "group": .string(metric.group.rawValue),
      "scale": .string(metric.scale.rawValue), "unit": .string(metric.unit),
      "reference": metric.reference.map { .string($0.rawValue) } ?? .null,
      "referenceTitle": .string(metric.referenceTitle), "middle": metric.middle.map(JSONValue.number) ?? .null,
      "isOffered": .bool(metric.isOffered), "isCount": .bool(metric.metric.isCount),
    ]
  }
}

/// The part of one run.
struct RunData {
  private let run: ReportRun
  private let modules: [String]
  private let steps: [Int]
  /// Rows by delta, at step · modules + module.
  private let rows: [Delta: [SpectrumRow?]]

  init(_ run: ReportRun) {
    (self.run, modules, steps) = (run, run.modules, run.evidence.checkpoints)
    let places = Dictionary(uniqueKeysWithValues: zip(modules, modules.indices))
    let times = Dictionary(uniqueKeysWithValues: zip(steps, steps.indices))
    var rows: [Delta: [SpectrumRow?]] = [:]
    for row in run.analysis.rows {
      rows[row.delta, default: Array(repeating: nil, count: modules.count * steps.count)][
        times[row.step]! * modules.count + places[row.module]!] = row
    }
    self.rows = rows
  }

  var json: JSONValue {
    let grid = ModuleGrid(modules)
    return [
      "name": .string(run.name.onOneLine), "steps": .array(steps.map(JSONValue.integer)),
      "modules": .array(modules.map { .string($0.onOneLine) }),
      "grid": [
        "columns": .array(grid.columns.map { .string($0.onOneLine) }),
        "rows": .array(
          grid.rows.map {
            [
              "layer": $0.layer.map(JSONValue.integer) ?? .null,
              "cells": .array($0.cells.map { $0.map(JSONValue.integer) ?? .null }),
            ]
          }),
      ],
      "deltas": deltas, "metrics": metrics, "spectra": spectra, "profiles": profiles, "bands": bands,
      "behaviour": BehaviourData(run).json,
    ]
  }

  private var deltas: JSONValue {
    [
      "size": .string(run.evidence.sizeDelta.rawValue), "shape": .string(run.evidence.shapeDelta.rawValue),
    ]
  }

  private func rows(_ source: ReportMetric.Source) -> [SpectrumRow?] { rows[source.delta(of: run.evidence)] ?? [] }

  // MARK: Metrics

  /// Each metric by name, one number for each step and module; `isFixed`, one a module, where none changes over the steps.
  private var metrics: JSONValue {
    var object: OrderedDictionary<String, JSONValue> = [:]
    for metric in ReportMetric.all {
      let values = rows(metric.source).map { $0?.metrics[metric.metric] ?? .nan }
      guard values.contains(where: \.isFinite) else { continue }
      let fixed = fixed(values)
      var packed = PackedArray(fixed ?? values, scale: metric.scale).json.object!
      if fixed != nil { packed["isFixed"] = true }
      object[metric.metric.rawValue] = .object(packed)
    }
    return .object(object)
  }

  /// One number a module, where it is the same at all steps, or missing at all of them; nil where one differs.
  private func fixed(_ values: [Double]) -> [Double]? {
    let first = Array(values.prefix(modules.count))
    let isFixed = values.indices.allSatisfy { index in
      let (own, other) = (values[index], first[index % modules.count])
      return own == other || own.isNaN && other.isNaN
    }
    return isFixed ? first : nil
  }

  // MARK: Spectra

  /// The most singular values of an update that are shown.
  static let mostValues = 32

  /// The places among `count` values that are shown: all, or the first half of so many and then ever fewer towards the last.
  static func shownValues(of count: Int) -> [Int] {
    guard count > mostValues else { return Array(0..<count) }
    let dense = mostValues / 2
    let growth = Double(count - 1) / Double(dense - 1)
    let sparse = (1...dense).map { step in
      Int((Double(dense - 1) * pow(growth, Double(step) / Double(dense))).rounded())
    }
    return OrderedSet(Array(0..<dense) + sparse).filter { $0 < count }
  }

  /// Singular values of the update since the start: step × module × shown value.
  private var spectra: JSONValue {
    let rows = rows(.size)
    let indices = Self.shownValues(of: rows.compactMap { $0?.singularValues.count }.max() ?? 0)
    let values = rows.flatMap { row in
      indices.map { index in row.flatMap { index < $0.singularValues.count ? $0.singularValues[index] : nil } ?? .nan }
    }
    guard values.contains(where: \.isFinite) else { return .null }
    var packed = PackedArray(values, scale: .log).json.object!
    packed["indices"] = .array(indices.map(JSONValue.integer))
    packed["count"] = .integer(rows.compactMap { $0?.singularValues.count }.max() ?? 0)
    return .object(packed)
  }

  // MARK: Profiles

  /// By side, the energy in each bin of W₀'s components, and what chance gives: step × module × bin, and module × bin.
  private var profiles: JSONValue {
    let rows = rows(.shape)
    guard rows.contains(where: { !($0?.profile.isEmpty ?? true) }) else { return .null }
    let width = ProfileBin.count + 1
    var object: OrderedDictionary<String, JSONValue> = [:]
    for side in Side.allCases {
      let bins = rows.map { row in
        Dictionary((row?.profile ?? []).filter { $0.side == side }.map { ($0.bin, $0) }) { first, _ in first }
      }
      let shares = bins.flatMap { bins in (0..<width).map { bins[$0]?.share ?? .nan } }
      let nulls = bins.flatMap { bins in (0..<width).map { bins[$0]?.null ?? .nan } }
      object[side.rawValue] = PackedArray(shares, scale: .linear).json
      object[side.rawValue + "Null"] = PackedArray(firstKnown(nulls, width: width), scale: .linear).json
    }
    return .object(object)
  }

  /// What chance gives does not depend on the step: the first number that is known.
  private func firstKnown(_ values: [Double], width: Int) -> [Double] {
    var known = [Double](repeating: .nan, count: modules.count * width)
    for (index, value) in values.enumerated() where known[index % known.count].isNaN {
      known[index % known.count] = value
    }
    return known
  }

  // MARK: Bands

  /// What chance makes of the rank measures: the bands, and by module which of them holds.
  private var bands: JSONValue {
    struct Shape: Hashable { var rows, columns, rank: Int }
    var places: OrderedDictionary<Shape, Int?> = [:]
    var bands: [JSONValue] = []
    let last = lastRows(rows(.shape))
    let found = last.map { row -> JSONValue in
      guard
        let shape = row.flatMap({ row -> Shape? in
          guard let m = row.metrics[.rows], let n = row.metrics[.columns], let rank = row.metrics[.numericalRank]
          else { return nil }
          return Shape(rows: Int(m), columns: Int(n), rank: Int(rank))
        })
      else { return .null }
      if places[shape] == nil {
        let band = RankBand(rows: shape.rows, columns: shape.columns, rank: shape.rank)
        places[shape] = .some(band.map { _ in bands.count })
        if let band { bands.append(Self.object(band)) }
      }
      return (places[shape] ?? nil).map(JSONValue.integer) ?? .null
    }
    return ["bands": .array(bands), "ofModule": .array(found)]
  }

  /// By module, the last row that has a rank.
  private func lastRows(_ rows: [SpectrumRow?]) -> [SpectrumRow?] {
    var last = [SpectrumRow?](repeating: nil, count: modules.count)
    for (index, row) in rows.enumerated() where row?.metrics[.numericalRank] ?? 0 > 0 {
      last[index % modules.count] = row
    }
    return last
  }

  private static func object(_ band: RankBand) -> JSONValue {
    func range(_ range: ClosedRange<Double>) -> JSONValue { [.number(range.lowerBound), .number(range.upperBound)] }
    return [
      Metric.effectiveRank.rawValue: range(band.effectiveRank),
      Metric.effectiveRankOfEnergy.rawValue: range(band.effectiveRankOfEnergy),
      Metric.stableRank.rawValue: range(band.stableRank),
      Metric.participationRatio.rawValue: range(band.participationRatio),
    ]
  }
}
