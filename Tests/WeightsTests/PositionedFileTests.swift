import Foundation
import TestSupport
import Testing
import Weights

@Suite struct PositionedFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func readsAtPositions() throws {
    let file = try PositionedFile(path: try folder.write("a", "0123456789"))
    #expect(file.size == 10)
    #expect(try file.read(3, at: 4) == [UInt8]("456".utf8))
    #expect(try file.read(0, at: 10) == [])
    for (count, offset) in [(3, 8), (1, 10), (.max, 1)] {
      let error = #expect(throws: FileError.self) { try file.read(count, at: offset) }
      #expect(error?.kind == .badContent)
      #expect(
        error?.problem
          == "expected \(count) bytes at offset \(offset), found the end of the file; is it still being written?")
    }
  }

  @Test func identityTellsFilesAndStatesApart() throws {
    let path = try folder.write("a", "0123")
    let first = try PositionedFile(path: path).identity
    #expect(try PositionedFile(path: path).identity == first)
    let copy = try folder.write("b", "0123")
    #expect(try PositionedFile(path: copy).identity != first)
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 5)], ofItemAtPath: path)
    let touched = try PositionedFile(path: path).identity
    #expect(touched != first)
    #expect(touched.modificationTime == 5_000_000_000)
  }

  @Test func whatCannotBeOpened() throws {
    func description(_ path: String) throws -> String {
      let error = try #require(throws: FileError.self) { try PositionedFile(path: path) }
      #expect(error.kind == .cannotOpen)
      return error.description
    }
    let missing = folder.path("none")
    #expect(try description(missing) == "\(missing): no such file. Check the path")
    #expect(
      try description(folder.path) == "\(folder.path): expected a file, found a folder")
    #expect(try description("/dev/null") == "/dev/null: expected a file, found a device or pipe")
    let below = try folder.write("a", "x") + "/b"
    #expect(try description(below) == "\(below): cannot be opened: Not a directory")
  }

  @Test(.enabled(if: getuid() != 0, "The superuser may read everything."))
  func permissionDenied() throws {
    let path = try folder.write("a", "x")
    chmod(path, 0)
    let error = #expect(throws: FileError.self) { try PositionedFile(path: path) }
    #expect(error?.description == "\(path): permission denied. Make it readable for this user")
  }

  @Test func closesItsDescriptor() throws {
    // Far more than a process may have open at once.
    let path = try folder.write("a", "x")
    for _ in 0..<50_000 { _ = try PositionedFile(path: path) }
  }
}

@Suite struct PendingFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path) }
  }

  @Test func appearsOnCommitOnly() throws {
    var file = PendingFile(for: folder.path("a"))
    try file.write([[1, 2], [], [3]])
    #expect(try names.count == 1)
    #expect(try names.first?.hasPrefix(".a.") == true)
    try file.commit()
    #expect(try names == ["a"])
    #expect(try PositionedFile(path: folder.path("a")).read(3, at: 0) == [1, 2, 3])
  }

  @Test func isRemovedWithoutCommit() throws {
    func abandon() throws {
      let file = PendingFile(for: folder.path("a"))
      try file.write([[1]])
    }
    try abandon()
    #expect(try names == [])
  }

  @Test func missingFolder() throws {
    let path = folder.path("none/a")
    let error = #expect(throws: FileError.self) { try PendingFile.write("x", to: path) }
    #expect(error?.kind == .cannotCreate)
    #expect(
      error?.description
        == "\(path): cannot be created: No such file or directory. Check the folder, its permissions and free space")
  }

  @Test func aFolderInTheWay() throws {
    try folder.write("a/b", "x")
    let error = #expect(throws: FileError.self) { try PendingFile.write("x", to: folder.path("a")) }
    #expect(error?.kind == .cannotWrite)
    #expect(try names == ["a"])
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
  func fullDisk() throws {
    // The temporary name is replaced by a link to a device that is always full.
    let file = PendingFile(for: folder.path("a"))
    try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: "/dev/full")
    // It is created exclusively, so a planted link is never followed.
    #expect(#expect(throws: FileError.self) { try file.write([[1]]) }?.kind == .cannotCreate)
  }
}
