import ArgumentParser
import Diagnosis
import Reporting
import RunStore
import Weights

/// `spectroscope diagnose`.
struct Diagnose: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says in words whether a run is sick, since when, why, and what to do.",
    discussion: """
      The verdict first: healthy, alert, or inconclusive where there is too little to judge by. Then the findings in order of onset, the module \
      that left its band first, the last healthy checkpoint, what to do next, and what could not be judged. `spectroscope explain CODE` tells \
      more of a finding. The exit code is 0 whatever the verdict: `spectroscope gate` is for scripts.
      """)

  @Argument(help: ArgumentHelp("An analysis file, or a run folder or packed run that holds one.", valueName: "file"))
  var file: String

  @OptionGroup var output: OutputOptions

  func run() throws {
    let analysed = try AnalysedRun(at: file)
    if !output.quiet, let newer = try analysed.newerCheckpoint(inRunAt: file) {
      Console.error("Note: the analysis ends before checkpoint \(newer); `spectroscope analyze` brings it up to date")
    }
    let text = analysed.diagnosis
    if output.json { return Console.print(text.json.text(pretty: true)) }
    if !output.quiet { Console.print(text.text) }
  }
}
