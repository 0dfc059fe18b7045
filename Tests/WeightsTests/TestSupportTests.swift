import Foundation
import TestSupport
import Testing

@Suite struct TestSupportTests {
  @Test func bothPipesAreDrained() throws {
    // Ten times what a pipe holds, on both, one after the other.
    let script = "head -c 700000 /dev/zero | tr '\\0' e >&2; head -c 700000 /dev/zero | tr '\\0' o; exit 3"
    let result = try run("/bin/sh", ["-c", script])
    #expect(result.status == 3)
    #expect(result.stdout == String(repeating: "o", count: 700_000))
    #expect(result.stderr == String(repeating: "e", count: 700_000))
  }

  @Test func repositoryRootHoldsThePackage() {
    #expect(FileManager.default.fileExists(atPath: repositoryRoot + "/Package.swift"))
  }

  @Test func temporaryFolderIsRemoved() throws {
    var folder: TemporaryFolder? = try TemporaryFolder()
    let path = try #require(folder?.path)
    try folder?.write("a/b", "x")
    #expect(FileManager.default.fileExists(atPath: path + "/a/b"))
    folder = nil
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
