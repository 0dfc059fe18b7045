import Diagnosis
import TestSupport
import Testing
import Weights

/// `explain`: the catalogue as text.
@Suite struct ExplainTests {
  @Test func everyKindIsListed() throws {
    let result = try spectroscope("explain")
    let lines = result.stdout.split(separator: "\n")
    for kind in Catalogue.kinds {
      let page = kind.page
      let line = try #require(lines.first { $0.hasPrefix("  \(page.code)  \(page.name) ") }, "\(page.code)")
      #expect(line.contains("  \(page.severity.rawValue) "))
    }
    let families = Set(Catalogue.kinds.map { $0.page.code.prefix(3) })
    #expect(lines.filter { !$0.hasPrefix(" ") }.count == families.count)
    #expect(lines.count == Catalogue.kinds.count + families.count)
    #expect(result.stderr == "" && result.status == 0)
  }

  @Test(arguments: ["SP105", "sp105", "alpha-is-zero", "Alpha-Is-Zero"]) func byCodeOrName(text: String) throws {
    let page = try #require(Catalogue.kind("SP105")?.page)
    let result = try spectroscope("explain", text)
    #expect(result.stdout.hasPrefix("SP105 alpha-is-zero (alert; did it train at all)\n\nWhat it means\n  "))
    let words = result.stdout.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    for part in [page.meaning, page.harm, page.evidence, page.source] {
      #expect(words.contains(part.split(whereSeparator: \.isWhitespace).joined(separator: " ")))
    }
    #expect(result.status == 0)
  }

  @Test func everyPageFitsTheWidth() throws {
    let codes = Catalogue.kinds.map { $0.page.code }
    for (columns, environment) in [
      (80, Program.environment), (50, Program.environment.merging(["COLUMNS": "50"]) { $1 }),
    ] {
      let result = try run(Program.path, ["explain"] + codes, environment: environment)
      for line in result.stdout.split(separator: "\n") {
        #expect(line.count <= columns || !line.hasPrefix(" "), "\(line)")
      }
      #expect(result.status == 0)
    }
  }

  @Test func json() throws {
    let result = try spectroscope("explain", "SP201", "SP105", "--json")
    let findings = try #require(JSONValue(parsing: result.stdout)["findings"]?.array)
    #expect(findings.map { $0["code"] } == ["SP201", "SP105"])
    #expect(findings[0]["name"] == "update-velocity" && findings[0]["cause"]?.isNull == true)
    #expect(findings.allSatisfy { $0["remedy"]?.string?.isEmpty == false })
    let all = try JSONValue(parsing: spectroscope("explain", "--json").stdout)
    #expect(all["findings"]?.array?.count == Catalogue.kinds.count)
  }

  @Test(arguments: [
    ("update-velocty", "there is no finding \"update-velocty\". Did you mean SP201 update-velocity?"),
    ("zzzzzzzzzz", "there is no finding \"zzzzzzzzzz\". `spectroscope explain` lists them"),
    ("\u{1B}[31mzzzzzzzzz", "there is no finding \"\\u{1b}[31mzzzzzzzzz\". `spectroscope explain` lists them"),
  ]) func unknown(text: String, message: String) throws {
    let result = try spectroscope("explain", "SP105", text)
    #expect(result.stderr.hasPrefix("Error: \(message)\nUsage: spectroscope explain [<code> ...]"), "\(result.stderr)")
    #expect(result.stdout == "" && result.status == 64)
  }
}
