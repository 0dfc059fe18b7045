import ArgumentParser
import Diagnosis
import OrderedCollections
import Reporting
import Weights

/// `spectroscope explain`.
struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Explains findings: what they mean, why they are bad, and what to do.",
    discussion: """
      Takes codes or names, such as SP105 or alpha-is-zero; without one it lists all kinds of findings. What to do is \
      said as of a run of which nothing is known.
      """)

  @Argument(help: ArgumentHelp("Codes or names of findings; capitals do not matter.", valueName: "code"))
  var codes: [String] = []

  @OptionGroup var output: OutputOptions

  func validate() throws {
    for code in codes where Catalogue.kind(code) == nil {
      let near = Catalogue.kinds(near: code).map { "\($0.page.code) \($0.page.name)" }
      let hint =
        near.isEmpty ? "`spectroscope explain` lists them" : "Did you mean \(near.joined(separator: " or "))?"
      throw ValidationError("there is no finding \(FileError.quoted(code)). \(hint)")
    }
  }

  func run() throws {
    let kinds = codes.isEmpty ? Catalogue.kinds : codes.compactMap { Catalogue.kind($0) }
    let pages = kinds.map { FindingExplanation($0) }
    if output.json {
      Console.print(JSONValue.object(["findings": .array(pages.map(\.json))]).text(pretty: true))
    } else if codes.isEmpty {
      Console.print(FindingExplanation.list)
    } else {
      Console.print(pages.map { $0.text(width: Console.width) }.joined(separator: "\n\n\n"))
    }
  }
}
