import ArgumentParser
import Foundation
import Weights

/// Results go to standard output; progress, notes and errors to standard error.
enum Console {
  /// Writes a line of results. Where that fails, the program ends with the code for it: lost results are no success.
  static func print(_ text: String) {
    guard let reason = write(text + "\n", to: STDOUT_FILENO) else { return }
    error("Error: standard output: cannot be written: \(reason). Check where it goes, and the free space there")
    exit(FileError.Kind.cannotWrite.exitCode)
  }

  /// Writes a line beside the results. Where that fails it is lost, which is no reason to stop.
  static func error(_ text: String) { draw(text + "\n") }

  /// Writes to standard error as it is.
  static func draw(_ text: String) { _ = write(text, to: STDERR_FILENO) }

  /// Keeps files from being opened under the numbers of closed standard streams, whose text would then end up in them.
  static func reserveStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // Takes the lowest free number. Being read-only, it makes writing fail as on a closed stream.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// Writes all of `text` and returns nil, or the system's reason why not, over which `FileHandle.write` would crash.
  private static func write(_ text: String, to descriptor: Int32) -> String? {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&wait, 1, -1)
      } else if errno != EINTR {
        return String(cString: strerror(errno))
      }
    }
    return nil
  }

  /// True where standard error is a terminal, on which a line may be drawn again and again.
  static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// True where colour is welcome on standard output: a terminal, and `NO_COLOR` unset (no-color.org).
  static var wantsColor: Bool {
    let isSet = !(ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
    return isatty(STDOUT_FILENO) == 1 && !isSet
  }

  /// How many characters a line of text may have: what `COLUMNS` says, else the terminal's width, else 80.
  static var width: Int { knownWidth ?? 80 }

  /// The same, where anything tells it.
  static var knownWidth: Int? {
    if let said = ProcessInfo.processInfo.environment["COLUMNS"].flatMap({ Int($0) }), said > 0 { return max(20, said) }
    return width(of: STDOUT_FILENO)
  }

  /// That of the terminal that standard error is, else 80.
  static var errorWidth: Int { width(of: STDERR_FILENO) ?? 80 }

  private static func width(of descriptor: Int32) -> Int? {
    var size = winsize()
    let isKnown = isatty(descriptor) == 1 && ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return isKnown ? max(20, Int(size.ws_col)) : nil
  }

  /// Emphasises `text` where colour is welcome.
  static func bold(_ text: String) -> String { wantsColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
}

/// Options of every subcommand that prints results.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON object instead of text.")
  var json = false

  @Flag(help: "Print no progress and no notes; errors and --json output remain.")
  var quiet = false
}
