import ArgumentParser
import Weights

/// Runs a program and says what it took: `MeasuredProcess.alone` runs this.
struct MeasuredCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measured", abstract: "Runs a program and says what it took.", shouldDisplay: false)

  @Argument(parsing: .captureForPassthrough) var command: [String]

  func run() throws { print(try MeasuredProcess(command[0], Array(command.dropFirst())).json.text()) }
}

extension MeasuredProcess {
  /// Runs a program by way of a small process. Linux counts the memory of the process that starts a program as the program's own until
  /// then, and this one may have become large.
  ///
  /// - Throws: `BenchmarkError` where it does not end with code 0.
  static func alone(_ program: String, _ arguments: [String]) throws -> MeasuredProcess {
    let text = try run(Program.own, ["measured", program] + arguments).standardOutput
    let process = try MeasuredProcess(json: JSONValue(parsing: Array(text.utf8)))
    return try process.succeeded(program, arguments)
  }

  fileprivate var json: JSONValue {
    [
      "status": .integer(Int(status)), "wall": .number(wallSeconds), "processor": .number(processorSeconds),
      "peak": .number(peakMebibytes), "output": .string(standardOutput), "errors": .string(standardError),
    ]
  }

  private init(json: JSONValue) throws(BenchmarkError) {
    guard let status = json["status"]?.int, let wall = json["wall"]?.double,
      let processor = json["processor"]?.double, let peak = json["peak"]?.double,
      let output = json["output"]?.string, let errors = json["errors"]?.string
    else { throw BenchmarkError("measured: expected what a process took, found: \(json.text())") }
    self.init(
      status: Int32(status), wallSeconds: wall, processorSeconds: processor, peakMebibytes: peak,
      standardOutput: output, standardError: errors)
  }
}
