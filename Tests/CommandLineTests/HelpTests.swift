import TestSupport
import Testing

/// The whole text of help, version and usage errors.
@Suite struct HelpTests {
  @Test(arguments: [["--help"], ["-h"], ["help"], []])
  func rootHelp(arguments: [String]) throws {
    let result = try run(Program.path, arguments, environment: Program.environment)
    #expect(result.stdout == HelpText.root + "\n")
    #expect(result.stderr == "")
    #expect(result.status == 0)
  }

  @Test(arguments: HelpText.subcommands)
  func subcommandHelp(name: String, text: String) throws {
    for result in [try spectroscope(name, "--help"), try spectroscope("help", name)] {
      #expect(result.stdout == text + "\n\n")
      #expect(result.stderr == "")
      #expect(result.status == 0)
    }
  }

  @Test(arguments: [
    "", "demo", "plan", "train", "lab", "corpus", "pretrain", "analyze", "merge", "diagnose", "gate", "compare",
    "explain",
    "basis",
    "export",
    "inspect", "convert", "pack",
    "doctor",
  ])
  func version(subcommand: String) throws {
    let arguments = subcommand.isEmpty ? ["--version"] : [subcommand, "--version"]
    let result = try run(Program.path, arguments, environment: Program.environment)
    #expect(result.stdout == "0.1.0\n")
    #expect(result.stderr == "")
    #expect(result.status == 0)
  }

  struct Misuse: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let message: String
    let usage: String
    var testDescription: String { arguments.joined(separator: " ") }

    static let analyzing = ["analyze", "run", "--base", "base", "--out", "out.h5"]

    static let all = [
      Misuse(arguments: ["analyse"], message: "Error: Unexpected argument 'analyse'", usage: HelpText.rootUsage),
      Misuse(
        arguments: ["analyze"],
        message: """
          Error: Missing expected argument '<source>'
          Help:  <source>  A run folder, a packed run, a folder of checkpoints, or one adapter folder.
          """, usage: HelpText.analyzeUsage),
      Misuse(
        arguments: ["analyze", "run", "--out", "out.h5"],
        message: "Error: Missing expected argument '--base <dir>': there is a default for run folders alone",
        usage: HelpText.analyzeUsage),
      Misuse(
        arguments: ["analyze", "run", "--base", "base"],
        message: "Error: Missing expected argument '--out <file>': there is a default for run folders alone",
        usage: HelpText.analyzeUsage),
      Misuse(
        arguments: ["analyze", "run", "--base", "base", "--out"],
        message: """
          Error: Missing value for '--out <file>'
          Help:  --out <file>  The analysis file to write (HDF5; default: the run's own).
          """, usage: HelpText.analyzeUsage),
      Misuse(
        arguments: analyzing + ["--jobs", "0"], message: "Error: --jobs must be at least 1, found 0",
        usage: HelpText.analyzeUsage),
      Misuse(
        arguments: analyzing + ["--out", ""], message: "Error: --out must name a file, found an empty text",
        usage: HelpText.analyzeUsage),
      Misuse(
        arguments: ["export", "out.h5", "--format", "csv", "--out", ""],
        message: "Error: --out must name a folder, found an empty text", usage: HelpText.exportUsage),
      Misuse(
        arguments: analyzing + ["--jobs", "two"],
        message: """
          Error: The value 'two' is invalid for '--jobs <n>'
          Help:  --jobs <n>  How many modules to analyse at once (default: the number of cores).
          """, usage: HelpText.analyzeUsage),
      Misuse(
        arguments: analyzing + ["--depth", "deep"],
        message: """
          Error: The value 'deep' is invalid for '--depth <depth>'. Please provide one of 'auto', 'update', 'geometry' or 'full'.
          Help:  --depth <depth>  How deep: update is ΔW alone; geometry holds it against the base; full adds exact spectral shift, intruders and profiles. auto is full where the smaller side of a weight is at most 1024, else geometry.
          """, usage: HelpText.analyzeUsage),
      Misuse(
        arguments: analyzing + ["--method", "lokr"],
        message: """
          Error: The value 'lokr' is invalid for '--method <method>'. Please provide one of the following:
            - lora
            - rslora
            - pissa
            - milora
            - lora-plus
            - lora-fa
            - rank1
            - svd
          Help:  --method <method>  The method, where the files cannot tell.
          """, usage: HelpText.analyzeUsage),
      Misuse(
        arguments: analyzing + ["--quite"], message: "Error: Unknown option '--quite'. Did you mean '--quiet'?",
        usage: HelpText.analyzeUsage),
      Misuse(
        arguments: analyzing + ["more"], message: "Error: Unexpected argument 'more'", usage: HelpText.analyzeUsage),
      Misuse(
        arguments: ["export", "out.h5", "--format", "csv"],
        message: """
          Error: Missing expected argument '--out <dir>'
          Help:  --out <dir>  The folder to write into; created where it is missing.
          """, usage: HelpText.exportUsage),
      Misuse(
        arguments: ["export", "out.h5", "--out", "csv"],
        message: """
          Error: Missing expected argument '--format <format>'
          Help:  --format <format>  The format of the files.
          """, usage: HelpText.exportUsage),
      Misuse(
        arguments: ["export", "out.h5", "--format", "xml", "--out", "csv"],
        message: """
          Error: The value 'xml' is invalid for '--format <format>'. Please provide one of the following:
            - csv
            - json
            - parquet
            - npz
            - tensorboard
            - vega-lite
          Help:  --format <format>  The format of the files.
          """, usage: HelpText.exportUsage),
      Misuse(
        arguments: ["report"],
        message: """
          Error: Missing expected argument '<file> ...'
          Help:  <file>  Analysis files, run folders or packed runs that hold one, or a folder of lab.
          """, usage: HelpText.reportUsage),
      Misuse(
        arguments: ["report", "one.h5", "--out", ""], message: "Error: --out must name a file, found an empty text",
        usage: HelpText.reportUsage),
      Misuse(
        arguments: ["compare", "one.h5"], message: "Error: expected two files or more to compare, found 1",
        usage: HelpText.compareUsage),
      Misuse(
        arguments: ["compare", "one.h5", "two.h5", "--points", "0"],
        message: "Error: --points must be at least 1, found 0", usage: HelpText.compareUsage),
      Misuse(
        arguments: ["compare"],
        message: """
          Error: Missing expected argument '<file> ...'
          Help:  <file>  Analysis files, or run folders or packed runs that hold one; two or more.
          """, usage: HelpText.compareUsage),
      Misuse(
        arguments: ["merge"],
        message: """
          Error: Missing expected argument '<output> ...'
          Help:  <output>  What --out of the shards named, or a run folder, or a folder of shards; several where the machines had none in \
          common.
          """, usage: HelpText.mergeUsage),
      Misuse(
        arguments: ["merge", "one.h5", "two.h5"], message: "Error: --out must say where shards of several outputs go",
        usage: HelpText.mergeUsage),
      Misuse(
        arguments: ["merge", "one.h5", "--out", ""], message: "Error: --out must name a file, found an empty text",
        usage: HelpText.mergeUsage),
      Misuse(
        arguments: ["inspect"],
        message: """
          Error: Missing expected argument '<path>'
          Help:  <path>  A file or folder.
          """, usage: HelpText.inspectUsage),
      Misuse(
        arguments: ["convert", "run", "--to", "gguf", "--out", "out"],
        message: """
          Error: The value 'gguf' is invalid for '--to <form>'. Please provide one of 'peft' and 'hdf5'.
          Help:  --to <form>  The form to convert to.
          """, usage: HelpText.convertUsage),
      Misuse(
        arguments: ["convert", "run", "--to", "hdf5", "--out", "out", "--plain"],
        message: "Error: --plain goes with --to peft alone", usage: HelpText.convertUsage),
      Misuse(
        arguments: ["convert", "run", "--to", "peft", "--out", "out", "--initial", "first"],
        message: "Error: --initial goes with --to hdf5 alone", usage: HelpText.convertUsage),
      Misuse(
        arguments: ["pack", "run", "--out", ""], message: "Error: --out must name a file, found an empty text",
        usage: HelpText.packUsage),
      Misuse(
        arguments: ["gate"], message: "Error: Missing expected argument '<file>'", usage: HelpText.gateUsage),
      Misuse(
        arguments: ["gate", "run", "--json", "--format", "sarif"],
        message: "Error: --json is --format json, found --format sarif with it", usage: HelpText.gateUsage),
      Misuse(
        arguments: ["gate", "run", "--out", ""], message: "Error: --out must name a file, found an empty text",
        usage: HelpText.gateUsage),
      Misuse(
        arguments: ["doctor", "--jsn"], message: "Error: Unknown option '--jsn'. Did you mean '--json'?",
        usage: HelpText.doctorUsage),
    ]
  }

  @Test(arguments: Misuse.all)
  func usageError(misuse: Misuse) throws {
    let result = try run(Program.path, misuse.arguments, environment: Program.environment)
    let command = misuse.usage.split(separator: " ").dropFirst().first { !$0.hasPrefix("<") }.map {
      "spectroscope \($0)"
    }
    #expect(
      result.stderr == """
        \(misuse.message)
        Usage: \(misuse.usage)
          See '\(command ?? "spectroscope") --help' for more information.

        """)
    #expect(result.stdout == "")
    #expect(result.status == 64)
  }
}
