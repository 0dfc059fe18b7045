import Adapters
import LinearAlgebra
import OrderedCollections
import Spectra
import Weights

/// What one module gave at one checkpoint: the unit of work, and of resuming.
package struct MeasurementPiece: Equatable, Sendable {
  package var step: Int
  package var module: String
  package var rows: [SpectrumRow]
  package var remarks: [AdapterRemark]
  /// True where the tensors could not be used.
  package var isDamaged: Bool
  /// What computed it, as `KernelSet` names it; empty where an earlier version did not say.
  package var kernels = KernelSet.name
}

// MARK: - JSON, one line a piece

extension MeasurementPiece {
  var json: JSONValue {
    [
      "step": .integer(step), "module": .string(module), "damaged": .bool(isDamaged), "kernels": .string(kernels),
      "rows": .array(rows.map(\.json)), "remarks": .array(remarks.map(\.json)),
    ]
  }

  init?(json: JSONValue) {
    guard let step = json["step"]?.int, let module = json["module"]?.string, let isDamaged = json["damaged"]?.bool,
      let rows = json["rows"]?.array, let remarks = json["remarks"]?.array
    else { return nil }
    self.step = step
    self.module = module
    self.isDamaged = isDamaged
    kernels = json["kernels"]?.string ?? ""
    self.rows = rows.compactMap { SpectrumRow(json: $0, step: step, module: module) }
    self.remarks = remarks.compactMap(AdapterRemark.init(json:))
    guard self.rows.count == rows.count, self.remarks.count == remarks.count else { return nil }
  }
}

extension SpectrumRow {
  fileprivate var json: JSONValue {
    var metricValues: OrderedDictionary<String, JSONValue> = [:]
    for metric in Metric.allCases {
      if let value = metrics[metric] { metricValues[metric.rawValue] = .measured(value) }
    }
    return [
      "delta": .string(delta.rawValue), "method": .string(method), "metrics": .object(metricValues),
      "singular_values": .array(singularValues.map(JSONValue.measured)),
      "profile": .array(profile.map(\.json)), "updated": .array(updatedValues.map(JSONValue.measured)),
    ]
  }

  fileprivate init?(json: JSONValue, step: Int, module: String) {
    guard let delta = json["delta"]?.string.flatMap(Delta.init(rawValue:)), let method = json["method"]?.string,
      let entries = json["metrics"]?.object, let values = json["singular_values"]?.array
    else { return nil }
    var metrics = MetricValues()
    for (name, value) in entries {
      guard let metric = Metric(rawValue: name), let number = value.measured else { return nil }
      metrics[metric] = number
    }
    let numbers = values.compactMap(\.measured)
    guard numbers.count == values.count else { return nil }
    let bins = json["profile"]?.array?.compactMap(ProfileBin.init(json:)) ?? []
    let updated = json["updated"]?.array?.compactMap(\.measured) ?? []
    self.init(
      step: step, module: module, method: method, delta: delta, metrics: metrics, singularValues: numbers,
      profile: bins, updatedValues: updated)
  }
}

extension AdapterRemark {
  var json: JSONValue {
    [
      "kind": .string(kind.rawValue), "step": step.map(JSONValue.integer) ?? .null,
      "module": module.map(JSONValue.string) ?? .null, "value": value.map(JSONValue.measured) ?? .null,
      "message": .string(message),
    ]
  }

  init?(json: JSONValue) {
    guard let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:)), let message = json["message"]?.string else {
      return nil
    }
    self.init(kind, step: json["step"]?.int, module: json["module"]?.string, value: json["value"]?.measured, message)
  }
}

extension ProfileBin {
  fileprivate var json: JSONValue {
    [
      .string(side.rawValue), .integer(bin), components.map { .integer($0.lowerBound) } ?? .null,
      components.map { .integer($0.upperBound) } ?? .null, share.map(JSONValue.measured) ?? .null, .measured(null),
    ]
  }

  fileprivate init?(json: JSONValue) {
    guard let parts = json.array, parts.count == 6, let side = parts[0].string.flatMap(Side.init(rawValue:)),
      let bin = parts[1].int, let null = parts[5].measured
    else { return nil }
    let ends = (parts[2].int, parts[3].int)
    var components: ClosedRange<Int>?
    if let first = ends.0, let last = ends.1, first <= last { components = first...last }
    self.init(side: side, bin: bin, components: components, share: parts[4].measured, null: null)
  }
}

extension JSONValue {
  /// A number that was measured; JSON has none for NaN and the infinities, which are texts here.
  static func measured(_ value: Double) -> JSONValue { value.isFinite ? .number(value) : .string(value.description) }

  var measured: Double? { double ?? string.flatMap { ["nan", "inf", "-inf"].contains($0) ? Double($0) : nil } }
}
