import Foundation
import Reporting
import RunStore
import TestSupport
import Testing
import Weights

/// What holds for every format.
@Suite struct ExportFormatTests {
  @Test(arguments: ExportFormat.allCases)
  func theSameAnalysisGivesTheSameBytes(format: ExportFormat) throws {
    let training = try ExportSamples.oddTraining()
    let first = try ExportSamples.files(of: ExportSamples.odd, training: training, as: format)
    #expect(!first.isEmpty)
    #expect(try ExportSamples.files(of: ExportSamples.odd, training: training, as: format) == first)
  }

  @Test(arguments: ExportFormat.allCases)
  func nothingIsLeftOfAFileThatCannotBeWritten(format: ExportFormat) throws {
    let folder = try TemporaryFolder()
    let names = try ExportSamples.files(of: ExportSamples.odd, as: format).keys
    // A folder stands where each file should go.
    for name in names { try folder.write(name + "/in-the-way", "") }
    #expect {
      try format.exporter.export(ExportSamples.odd, training: nil, to: folder.path)
    } throws: { error in
      let error = error as? FileError
      return error?.kind == .cannotWrite && names.contains { error?.path == folder.path($0) }
    }
    #expect(Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) == Set(names))
  }

  @Test(arguments: ExportFormat.allCases)
  func aFolderThatIsMissingIsNamed(format: ExportFormat) throws {
    let folder = try TemporaryFolder()
    #expect {
      try format.exporter.export(ExportSamples.odd, training: nil, to: folder.path("none"))
    } throws: { ($0 as? FileError)?.kind == .cannotCreate }
  }
}
