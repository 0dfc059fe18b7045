import ArgumentParser
import Foundation

/// Results go to standard output; progress, notes and errors to standard error.
enum Console {
  static func print(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

  static func error(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

  /// True where standard error is a terminal, on which a line may be drawn again and again.
  static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// True where colour is welcome on standard output: a terminal, and `NO_COLOR` unset (no-color.org).
  static var wantsColor: Bool {
    let isSet = !(ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
    return isatty(STDOUT_FILENO) == 1 && !isSet
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
