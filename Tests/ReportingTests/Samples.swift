import Diagnosis
import Foundation
import Reporting
import RunStore
import Spectra
import TestSupport
import Testing

func row(
  _ step: Int, _ module: String, _ delta: Delta = .initial, values: [Double] = [], metrics: [Metric: Double] = [:],
  method: String = "lora"
) -> SpectrumRow {
  var stored = MetricValues()
  for (metric, value) in metrics { stored[metric] = value }
  return SpectrumRow(
    step: step, module: module, method: method, delta: delta, metrics: stored, singularValues: values)
}

/// The text of the file of that name that the format's exporter writes.
func exported(
  _ analysis: Analysis, training: TrainingRecords? = nil, as format: ExportFormat, _ name: String
) throws -> String {
  let folder = try TemporaryFolder()
  let paths = try format.exporter.export(analysis, training: training, to: folder.path)
  #expect(paths.contains(folder.path(name)))
  return try String(contentsOfFile: folder.path(name), encoding: .utf8)
}

/// The records of a CSV text by RFC 4180, byte by byte: quotes may hold commas, line ends and doubled quotes.
func records(ofCSV text: String) -> [[String]] {
  var records: [[String]] = []
  var (record, cell) = ([String](), [UInt8]())
  var isQuoted = false
  var bytes = Array(text.utf8)[...]
  func ended(_ cell: inout [UInt8]) -> String {
    defer { cell = [] }
    return String(decoding: cell, as: UTF8.self)
  }
  while let byte = bytes.popFirst() {
    switch byte {
    case UInt8(ascii: "\"") where isQuoted && bytes.first == byte:
      cell.append(byte)
      bytes.removeFirst()
    case UInt8(ascii: "\""): isQuoted.toggle()
    case UInt8(ascii: ",") where !isQuoted: record.append(ended(&cell))
    case UInt8(ascii: "\n") where !isQuoted:
      records.append(record + [ended(&cell)])
      record = []
    default: cell.append(byte)
    }
  }
  return records
}
