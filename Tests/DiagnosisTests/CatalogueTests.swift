import Diagnosis
import Foundation
import TestSupport
import Testing

/// Every kind of finding is whole, and has a file of its own.
struct CatalogueTests {
  private static let pages = Catalogue.kinds.map { $0.page }

  @Test func codesAndNamesAreUnique() {
    #expect(Set(Self.pages.map { $0.code }).count == Self.pages.count)
    #expect(Set(Self.pages.map { $0.name }).count == Self.pages.count)
    #expect(Self.pages.map { $0.code } == Self.pages.map { $0.code }.sorted())
  }

  @Test func everyKindSaysEverything() throws {
    for kind in Catalogue.kinds {
      let page = kind.page
      #expect(page.code.wholeMatch(of: /SP[1-5]\d\d/) != nil && page.name.wholeMatch(of: /[a-z]+(-[a-z]+)*/) != nil)
      for text in [page.meaning, page.harm, page.evidence, page.source, kind.remedy(for: RunSetup())] {
        #expect(text.count > 10 && text.hasSuffix(".") || text == page.source, "\(page.code): \(text)")
      }
      #expect(page.severity == .info || !page.thresholds.isEmpty, "\(page.code) has a threshold with both its errors")
      for threshold in page.thresholds { #expect(!threshold.falseAlarms.isEmpty && !threshold.misses.isEmpty) }
      #expect(!page.thresholds.contains { ($0.falseAlarms + $0.misses + $0.value).contains("TBD") }, "\(page.code)")
    }
  }

  @Test func oneFileEach() throws {
    let folder = repositoryRoot + "/Sources/Diagnosis/Catalogue"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("SP") }
    #expect(files.map { String($0.prefix(5)) }.sorted() == Self.pages.map { $0.code })
  }

  @Test func kindsAreFoundByCodeAndName() {
    #expect(
      Catalogue.kind("sp201")?.page.name == "update-velocity" && Catalogue.kind("Update-Velocity")?.page.code == "SP201"
    )
    #expect(Catalogue.kind("SP999") == nil)
  }
}
