import Foundation

/// A program that has been run to its end, with what it took.
struct MeasuredProcess {
  let status: Int32
  let wallSeconds: Double
  /// On all its threads, in the program and in the system.
  let processorSeconds: Double
  /// The most memory that it, or this process when it started it, had at once.
  let peakMebibytes: Double
  let standardOutput: String
  let standardError: String

  init(
    status: Int32, wallSeconds: Double, processorSeconds: Double, peakMebibytes: Double, standardOutput: String,
    standardError: String
  ) {
    (self.status, self.wallSeconds, self.processorSeconds) = (status, wallSeconds, processorSeconds)
    (self.peakMebibytes, self.standardOutput, self.standardError) = (peakMebibytes, standardOutput, standardError)
  }

  /// - Parameter environment: what is other than in this process; nil takes a variable away.
  init(_ program: String, _ arguments: [String], environment changes: [String: String?] = [:]) throws(BenchmarkError) {
    let folder = NSTemporaryDirectory() + "/process-\(UUID().uuidString)"
    let (output, errors) = (folder + ".out", folder + ".err")
    defer { for path in [output, errors] { unlink(path) } }
    let began = Clock.wall.seconds()
    let child = try Self.start([program] + arguments, Self.environment(changes), output: output, errors: errors)
    var (raw, usage) = (Int32(0), rusage())
    while wait4(child, &raw, 0, &usage) < 0 && errno == EINTR {}
    wallSeconds = Clock.wall.seconds() - began
    // The number of the signal that ended it, or the code that it returned.
    status = raw & 0x7f != 0 ? 128 + (raw & 0x7f) : (raw >> 8) & 0xff
    processorSeconds = [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
    peakMebibytes = Double(usage.ru_maxrss) / 1024
    standardOutput = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
    standardError = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
  }

  /// The same for a program that has to succeed.
  static func run(
    _ program: String, _ arguments: [String], environment: [String: String?] = [:]
  ) throws(BenchmarkError) -> MeasuredProcess {
    try MeasuredProcess(program, arguments, environment: environment).succeeded(program, arguments)
  }

  /// Itself, where the program ended with code 0.
  func succeeded(_ program: String, _ arguments: [String]) throws(BenchmarkError) -> MeasuredProcess {
    guard status != 0 else { return self }
    let end = standardError.split(separator: "\n").suffix(6).joined(separator: "\n  ")
    let command = ([program] + arguments).joined(separator: " ")
    throw BenchmarkError("\(command)\n  expected exit code 0, found \(status):\n  \(end)")
  }

  private static func environment(_ changes: [String: String?]) -> [String] {
    var environment = ProcessInfo.processInfo.environment
    for (name, value) in changes { environment[name] = value }
    return environment.map { "\($0)=\($1)" }
  }

  private static func start(
    _ arguments: [String], _ environment: [String], output: String, errors: String
  ) throws(BenchmarkError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    let texts = [arguments, environment].map { $0.map { strdup($0) } + [nil] }
    defer { for text in texts.joined() { free(text) } }
    var child = pid_t()
    let code = posix_spawnp(&child, arguments[0], &actions, nil, texts[0], texts[1])
    guard code == 0 else {
      throw BenchmarkError("\(arguments[0]) cannot be started: \(String(cString: strerror(code)))")
    }
    return child
  }
}

/// Programs of the build that this executable is part of.
enum Program {
  /// This executable.
  static let own =
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]

  /// `spectroscope`, which lies beside it.
  ///
  /// - Throws: `BenchmarkError` where it was not built.
  static func spectroscope() throws(BenchmarkError) -> String {
    let path = URL(fileURLWithPath: own).deletingLastPathComponent().path + "/spectroscope"
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw BenchmarkError(
        "\(path): expected the program beside this executable, found none. Build it: "
          + "swift build -c release --product spectroscope")
    }
    return path
  }
}
