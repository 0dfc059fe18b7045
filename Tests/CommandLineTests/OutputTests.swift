import Foundation
import TestSupport
import Testing

/// Outputs that cannot be written are refused before the work.
@Suite struct OutputTests {
  let bench = try! Bench()

  @Test func aMissingFolder() throws {
    let result = try bench.analyze(Reference.lora, "--out", bench.path("none/out.h5"))
    #expect(
      result.stderr
        == bench.filled("Error: {}/none/out.h5: its folder does not exist. Create {}/none first\n"))
    #expect(result.stdout == "")
    #expect(result.status == 73)
  }

  @Test func aFileInPlaceOfItsFolder() throws {
    let file = try bench.folder.write("file", "")
    let result = try bench.analyze(Reference.lora, "--out", file + "/out.h5")
    #expect(
      result.stderr
        == bench.filled("Error: {}/file/out.h5: expected a file in a folder, but {}/file is a file itself\n"))
    #expect(result.status == 73)
  }

  @Test func aFolderInItsPlace() throws {
    let result = try bench.analyze(Reference.lora, "--out", bench.folder.path)
    #expect(
      result.stderr == bench.filled("Error: {}: expected the name of a file to write, found a folder\n"))
    #expect(result.status == 73)
  }

  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")),
    arguments: [
      (">/dev/full", "No space left on device"), (">&-", "Bad file descriptor"),
    ])
  func standardOutput(redirection: String, reason: String) throws {
    for command in [["inspect", Reference.lora], ["doctor"]] {
      let result = try shell(redirection, command)
      #expect(
        result.stderr.hasSuffix(
          "Error: standard output: cannot be written: \(reason). Check where it goes, and the free space there\n"))
      #expect(result.status == 74)
    }
  }

  @Test(arguments: ["2>&-", "2</dev/null", "<&- 2>&-"])
  func aLostStandardErrorIsNoFailure(redirection: String) throws {
    let result = try shell(
      redirection, ["analyze", Reference.lora, "--base", Reference.llama, "--out", bench.output])
    #expect(result.steps == ["5", "10", "20"])
    #expect(result.status == 0)
    #expect(try spectroscope("inspect", bench.output).status == 0)
  }

  private func shell(_ redirection: String, _ arguments: [String]) throws -> ProcessResult {
    try run(
      "/bin/sh", ["-c", "exec \"$0\" \"$@\" \(redirection)", Program.path] + arguments,
      environment: Program.environment)
  }

  @Test(.enabled(if: canBecomeNobody))
  func aFolderThatMayNotBeWrittenTo() throws {
    let result = try spectroscopeAsNobody(
      "analyze", Reference.lora, "--base", Reference.llama, "--out", bench.output, in: bench.folder)
    #expect(
      result.stderr
        == bench.filled(
          "Error: {}/out.h5: its folder may not be written to. Check the permissions of {}\n"))
    #expect(result.status == 73)
  }
}
