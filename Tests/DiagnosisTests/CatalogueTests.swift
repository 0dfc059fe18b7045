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

  /// The bounds are those of the runs that they say they come from.
  @Test(arguments: ["update", "shift"]) func theBoundsFollowFromTheRuns(_ name: String) throws {
    let runs = try CSVTable(path: repositoryRoot + "/notebooks-data/laboratory/thresholds.csv").rows
    let calibration = runs.filter { ["10", "11", "20"].contains($0["seed"]!) }
    let bounds = name == "update" ? VelocityBounds.update : VelocityBounds.shift
    for (spacing, table) in bounds.bySpacing {
      for bound in table {
        let own = calibration.filter {
          $0["method"] == bound.method && ($0["warmup"] == "yes") == bound.warmsUp && !$0["\(name)_\(spacing)"]!.isEmpty
        }
        func values(_ labels: String...) -> [Double] {
          own.filter { labels.contains($0["label"]!) }.map { Double($0["\(name)_\(spacing)"]!)! }
        }
        #expect(values("clean", "unlearned").max() == bound.healthy, "\(bound.method) \(spacing)")
        #expect(values("collapsed").min() == bound.collapsed, "\(bound.method) \(spacing)")
        #expect(
          values("clean", "unlearned").count == bound.healthyRuns && values("collapsed").count == bound.collapsedRuns)
        #expect(bound.value > bound.healthy && bound.value < bound.collapsed ?? .infinity)
      }
    }
    // How the bounds err on runs of other seeds.
    let test = runs.filter { !["10", "11", "20"].contains($0["seed"]!) && !$0["\(name)_1"]!.isEmpty }
    func beyond(_ labels: [String]) -> (Int, Int) {
      let known = test.compactMap { run in
        bounds.bySpacing[1]!.first { $0.method == run["method"] && $0.warmsUp == (run["warmup"] == "yes") }.flatMap {
          bound in
          labels.contains(run["label"]!) ? Double(run["\(name)_1"]!)! > bound.value : nil
        }
      }
      return (known.count { $0 }, known.count)
    }
    let (alarmed, healthy) = beyond(["clean", "unlearned"])
    let (seen, collapsed) = beyond(["collapsed"])
    #expect(bounds.errors.falseAlarms == alarmed && bounds.errors.healthyRuns == healthy)
    #expect(bounds.errors.misses == collapsed - seen && bounds.errors.collapsedRuns == collapsed)
  }
}
