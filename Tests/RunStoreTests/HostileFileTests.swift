import Diagnosis
import Foundation
import RunStore
import Spectra
import Testing
import Weights

/// Files that are not what they claim to be end in an error that says so.
@Suite struct HostileFileTests {
  private func error(of path: String) -> FileError? {
    fileError { () throws(FileError) in try AnalysisFile.read(from: path) }
  }

  /// The error of reading a file that `body` made.
  private func error(_ body: (borrowing HDF5Group) throws -> Void) throws -> String {
    try withFolder { folder in
      let path = "\(folder)/a.h5"
      try HDF5File.write(to: path) { (root) throws(FileError) in
        do { try body(root) } catch { throw error as! FileError }
      }
      let refusal = try #require(error(of: path))
      #expect(refusal.kind == .badContent)
      return refusal.description.replacing("\(folder)/", with: "")
    }
  }

  private func head(_ root: borrowing HDF5Group) throws(FileError) {
    try root.setAttribute("format", "spectroscope-analysis")
    try root.setAttribute("format_version", 1)
  }

  @Test func truncatedFilesAreRefused() throws {
    try withFolder { folder in
      let path = "\(folder)/a.h5"
      try AnalysisFile.write(sample, to: path)
      let whole = try bytes(of: path)
      let lengths = Set(
        [0, 1, 7, 8, 9, 95, 96, 97, whole.count - 1] + Array(stride(from: 100, to: whole.count, by: 499)))
      for length in lengths {
        try PendingFile.write(Array(whole.prefix(length)), to: path)
        let refusal = try #require(error(of: path))
        #expect(refusal.kind == .badContent)
        #expect(
          refusal.description.hasPrefix("\(path): expected an HDF5 file, found one that is truncated or not HDF5 ("))
      }
    }
  }

  @Test func filesThatAreNotHDF5AreRefused() throws {
    try withFolder { folder in
      let path = "\(folder)/a.h5"
      try PendingFile.write(Array("step,module\n1,m\n".utf8), to: path)
      #expect(
        error(of: path)?.description
          == "\(path): expected an HDF5 file, found one that is truncated or not HDF5 (file signature not found)"
          + ". Copy or write it again")
      #expect(error(of: folder)?.description == "\(folder): expected an HDF5 file, found a folder")
      #expect(
        error(of: "\(folder)/b")?.description
          == "\(folder)/b: cannot open the file: No such file or directory. Check the path and its permissions")
      #expect(error(of: "\(folder)/b")?.kind == .cannotOpen)
    }
  }

  @Test func otherFormatsAreNamed() throws {
    let remedy = ". Make one with `spectroscope analyze`"
    let expectation = "a.h5: /: expected an analysis file (format 'spectroscope-analysis'), found "
    #expect(
      try error { try $0.setAttribute("format", "spectroscope-run") }
        == expectation + "one of format 'spectroscope-run'" + remedy)
    #expect(
      try error { try $0.setAttribute("name", "x") }
        == expectation + "an HDF5 file without the attribute 'format'" + remedy)
    #expect(try error { try $0.setAttribute("format", 3) } == "a.h5: /@format: expected text, found integers")
  }

  @Test func otherVersionsAreNamed() throws {
    #expect(
      try error {
        try $0.setAttribute("format", "spectroscope-analysis")
        try $0.setAttribute("format_version", 2)
      } == "a.h5: /: expected format_version 1, found 2. A newer Spectroscope wrote it: update yours")
    #expect(
      try error { try $0.setAttribute("format", "spectroscope-analysis") }
        == "a.h5: /: expected format_version 1, found none. Analyse the run again")
  }

  @Test func missingAndMisshapenPartsAreNamed() throws {
    #expect(
      try error { try head($0) } == "a.h5: /analysis: expected an object of this name, found none")
    func analysis(_ root: borrowing HDF5Group, steps: [Int], modules: [String], grid: [Int]) throws(FileError) {
      try head(root)
      let group = try root.createGroup("analysis")
      try group.write(steps, shape: [steps.count], named: "step")
      try group.write(modules, named: "module")
      let values = [Double](repeating: 1, count: grid.reduce(1, *))
      try group.createGroup("init").write(values, shape: grid, named: "rows")
    }
    #expect(
      try error { try analysis($0, steps: [1, 1], modules: ["m"], grid: [2, 1]) }
        == "a.h5: /analysis/step: expected different steps, found one twice")
    #expect(
      try error { try analysis($0, steps: [1], modules: ["m", "m"], grid: [1, 2]) }
        == "a.h5: /analysis/module: expected different modules, found one twice")
    #expect(
      try error { try analysis($0, steps: [1, 2], modules: ["m"], grid: [1, 2]) }
        == "a.h5: /analysis/init/rows: expected shape [2, 1], found [1, 2]")
    #expect(
      try error {
        try head($0)
        try $0.createGroup("analysis").write([1.5], shape: [1], named: "step")
      } == "a.h5: /analysis/step: expected integers, found floating-point numbers")
  }

  /// The superblock and the root's header, one byte at a time: an error or some content. What lies behind is HDF5's to
  /// read, and strangers' files are read in a child process.
  @Test func aChangedHeadIsSurvived() throws {
    try withFolder { folder in
      let path = "\(folder)/a.h5"
      try AnalysisFile.write(sample, to: path)
      let whole = try bytes(of: path)
      for position in 0..<96 {
        var changed = whole
        changed[position] ^= 0xff
        try PendingFile.write(changed, to: path)
        _ = error(of: path)
      }
    }
  }
}
