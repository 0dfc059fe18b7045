import Adapters
import Foundation
import OrderedCollections
import RunStore
import Testing
import Weights

/// A run folder as it is written and read back, whole and with parts missing.
@Suite struct RunFolderTests {
  private func names(in folder: String) throws -> [String] { try entries(of: folder) }

  @Test func whatWasWrittenComesBack() throws {
    try withFolder { folder in
      let path = folder + "/nested/run"
      try SampleRun.write(to: path + "/", wallTime: 1_700_000_000.25)
      let run = try RunFolder(path: path + "//")
      #expect(run.path == path && run.identity == SampleRun.identity && run.indexError == nil)
      #expect(run.steps == [0, 5, 10])
      for step in run.steps {
        let checkpoint = try run.checkpoint(at: step)
        #expect(checkpoint.snapshot == SampleRun.snapshot(step))
        #expect(checkpoint.snapshot.modules.values[0][0].values[2].sign == .minus)
        #expect(checkpoint.wallTime == 1_700_000_000.25 && checkpoint.identity == SampleRun.identity)
      }
      #expect(try run.initial() == SampleRun.snapshot(0))
      #expect(try run.records().records.map(\.step) == Array(1...10))
      #expect(try names(in: path) == ["checkpoints", "run.h5", "training.h5", "training.jsonl"])
      #expect(try names(in: path + "/checkpoints") == ["00000000.h5", "00000005.h5", "00000010.h5"])
    }
  }

  @Test func whatARunDoesNotHaveIsNil() throws {
    try withFolder { folder in
      var identity = SampleRun.identity
      (identity.method, identity.rank, identity.alpha, identity.scaling) = ("full", nil, nil, nil)
      (identity.baseID, identity.configuration) = ("", [:])
      _ = try RunWriter(
        creating: folder + "/run", identity: identity, initial: AdapterSnapshot(step: 0, modules: ["empty": []]))
      let run = try RunFolder(path: folder + "/run")
      #expect(run.identity == identity)
      #expect(try run.checkpoint(at: 0).wallTime == nil)
      #expect(try run.initial().modules == ["empty": []])
      #expect(try run.records().isEmpty)
    }
  }

  /// The digest by its definition, written out by hand: modules by their names' bytes, then tensors by theirs.
  @Test func theDigestIsOfTheTensorsInTheOrderOfTheirNames() throws {
    let tensors: [String: [Float]] = ["a.b/z": [3], "a/x": [1], "a/y": [2]]
    let snapshot = AdapterSnapshot(
      step: 1,
      modules: [
        "a.b": [.init(name: "z", shape: [1], values: tensors["a.b/z"]!)],
        "a": [
          .init(name: "y", shape: [1], values: tensors["a/y"]!), .init(name: "x", shape: [], values: tensors["a/x"]!),
        ],
      ])
    var digest = SHA256()
    digest.update([0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40] as [UInt8])
    #expect(snapshot.sha256 == digest.hexadecimal)
  }

  @Test func equalRunsMakeEqualFiles() throws {
    try withFolder { folder in
      try SampleRun.write(to: folder + "/a")
      try SampleRun.write(to: folder + "/b")
      for name in ["run.h5", "training.h5", "training.jsonl", "checkpoints/00000000.h5", "checkpoints/00000010.h5"] {
        #expect(try bytes(of: folder + "/a/" + name) == bytes(of: folder + "/b/" + name), "\(name)")
      }
    }
  }

  @Test func stepsAreOrderedAsNumbersAndOtherNamesArePassedOver() throws {
    try withFolder { folder in
      let writer = try SampleRun.write(to: folder + "/run")
      for step in [123_456_789, 99] { try writer.write(SampleRun.snapshot(step)) }
      for name in ["5.h5", "000000099.h5", "00000007.h5.bak", ".00000007.h5.1-a.tmp", "0000001x.h5", "notes"] {
        try PendingFile.write("x", to: folder + "/run/checkpoints/" + name)
      }
      #expect(try RunFolder(path: folder + "/run").steps == [0, 5, 10, 99, 123_456_789])
    }
  }

  @Test func aFolderThatHoldsARunIsRefused() throws {
    try withFolder { folder in
      let path = folder + "/run"
      func refusal() -> FileError? { fileError { () throws(FileError) in try SampleRun.write(to: path) } }
      try SampleRun.write(to: path)
      for part in ["training.h5", "run.h5", "checkpoints"] {
        let error = refusal()
        #expect(error?.kind == .cannotCreate)
        #expect(
          error?.description == "\(path): expected a new folder for the run, found one that holds a run. "
            + "Name another folder, or delete this one if it is not needed")
        try FileManager.default.removeItem(atPath: path + "/" + part)
      }
      #expect(refusal() != nil, "the records alone are a run's, too")
      try FileManager.default.removeItem(atPath: path + "/training.jsonl")
      try PendingFile.write("mine", to: path + "/notes.txt")
      #expect(refusal() == nil)
      #expect(try bytes(of: path + "/notes.txt") == Array("mine".utf8))
      let file = fileError { () throws(FileError) in try SampleRun.write(to: path + "/notes.txt") }
      #expect(file?.kind == .cannotCreate)
    }
  }

  @Test func aLostIndexIsMadeAgain() throws {
    try withFolder { folder in
      let path = folder + "/run"
      try SampleRun.write(to: path)
      let index = try bytes(of: path + "/run.h5")
      try FileManager.default.removeItem(atPath: path + "/run.h5")
      #expect(RunFolder.isRun(at: path))
      let run = try RunFolder(path: path)
      #expect(run.identity == SampleRun.identity && run.indexError?.kind == .cannotOpen)
      #expect(try run.initial() == SampleRun.snapshot(0))
      _ = try RunWriter(continuing: path)
      #expect(try bytes(of: path + "/run.h5") == index)
      // The identity of any checkpoint serves.
      try FileManager.default.removeItem(atPath: path + "/run.h5")
      try PendingFile.write("damaged", to: path + "/checkpoints/00000000.h5")
      #expect(try RunFolder(path: path).identity == SampleRun.identity)
    }
  }

  @Test func aDamagedIndexIsNoEnd() throws {
    try withFolder { folder in
      let path = folder + "/run"
      try SampleRun.write(to: path)
      try PendingFile.write(Array(bytes(of: path + "/run.h5").dropLast(100)), to: path + "/run.h5")
      let run = try RunFolder(path: path)
      #expect(run.identity == SampleRun.identity && run.indexError?.kind == .badContent)
    }
  }

  @Test func theIndexKeepsTheStart() throws {
    try withFolder { folder in
      let path = folder + "/run"
      try SampleRun.write(to: path)
      try FileManager.default.removeItem(atPath: path + "/checkpoints/00000000.h5")
      let run = try RunFolder(path: path)
      #expect(run.steps == [5, 10])
      #expect(try run.initial() == SampleRun.snapshot(0))
    }
  }

  @Test func noRunIsNamed() throws {
    try withFolder { folder in
      #expect(!RunFolder.isRun(at: folder) && !RunFolder.isRun(at: folder + "/none"))
      try FileManager.default.createDirectory(atPath: folder + "/run.h5", withIntermediateDirectories: true)
      #expect(!RunFolder.isRun(at: folder))
      let error = fileError { () throws(FileError) in try RunFolder(path: folder + "/none") }
      #expect(error?.kind == .cannotOpen && error?.path == folder + "/none/run.h5")
    }
  }

  // MARK: Damage

  /// A bit anywhere in the tensors is found, and the file and what to do are named.
  @Test func aFlippedBitIsFound() throws {
    try withFolder { folder in
      let path = folder + "/run/checkpoints/00000005.h5"
      try SampleRun.write(to: folder + "/run")
      let run = try RunFolder(path: folder + "/run")
      let whole = try bytes(of: path)
      for tensor in SampleRun.snapshot(5).modules.values.joined() {
        let stored = tensor.values.withUnsafeBytes { Array($0) }
        let start = try #require(whole.indices.first { whole[$0...].starts(with: stored) })
        for position in stored.indices {
          var changed = whole
          changed[start + position] ^= 1 << (position % 8)
          try PendingFile.write(changed, to: path)
          let error = fileError { () throws(FileError) in try run.snapshot(at: 5) }
          #expect(error?.kind == .badContent && error?.path == path && error?.remedy == "Restore the file from a copy")
          #expect(error?.problem.hasPrefix("expected tensors with the sha256 \"") == true)
        }
      }
      try PendingFile.write(whole, to: path)
      #expect(try run.snapshot(at: 5) == SampleRun.snapshot(5))
    }
  }

  /// The numbers that give the tensors their meaning are held against a digest as well, in checkpoints and in the index.
  @Test(arguments: ["run.h5", "checkpoints/00000005.h5"]) func aFlippedBitInTheIdentityIsFound(name: String) throws {
    try withFolder { folder in
      try SampleRun.write(to: folder + "/run")
      let path = folder + "/run/" + name
      let whole = try bytes(of: path)
      // What the attributes and the configuration hold: α is 4.0, and the rest is text.
      for stored in [withUnsafeBytes(of: 4.0) { Array($0) }, Array("arithmetic".utf8), Array("0.001".utf8)] {
        for start in whole.indices.dropLast(stored.count)
        where whole[start..<start + stored.count].elementsEqual(stored) {
          var changed = whole
          changed[start + stored.count - 2] ^= 1
          try PendingFile.write(changed, to: path)
          let run = try RunFolder(path: folder + "/run")
          #expect(run.identity == SampleRun.identity)
          let error = name == "run.h5" ? run.indexError : fileError { () throws(FileError) in try run.snapshot(at: 5) }
          #expect(error?.kind == .badContent && error?.path == path)
          #expect(
            error?.problem.hasPrefix("expected attributes and configuration with the sha256 \"") == true,
            "\(String(describing: error))")
        }
      }
    }
  }

  @Test func aCheckpointUnderAnotherNameIsNamed() throws {
    try withFolder { folder in
      let path = folder + "/run"
      try SampleRun.write(to: path)
      try FileManager.default.copyItem(
        atPath: path + "/checkpoints/00000005.h5", toPath: path + "/checkpoints/00000006.h5")
      let run = try RunFolder(path: path)
      let error = fileError { () throws(FileError) in try run.snapshot(at: 6) }
      #expect(
        error?.description == "\(path)/checkpoints/00000006.h5: /: expected step 6, as the name says, found 5. "
          + "Give the file its name back")
    }
  }

  @Test func anotherFileInPlaceOfACheckpointIsNamed() throws {
    try withFolder { folder in
      let path = folder + "/run"
      try SampleRun.write(to: path)
      let checkpoint = path + "/checkpoints/00000005.h5"
      try PendingFile.write(bytes(of: path + "/run.h5"), to: checkpoint)
      let run = try RunFolder(path: path)
      let error = fileError { () throws(FileError) in try run.snapshot(at: 5) }
      #expect(
        error?.description
          == "\(checkpoint): /: expected a checkpoint of a run (format 'spectroscope-checkpoint'), "
          + "found one of format 'spectroscope-run'. Restore the file from a copy")
      try HDF5File.write(to: checkpoint) { (root) throws(FileError) in
        try root.setAttribute("format", "spectroscope-checkpoint")
        try root.setAttribute("format_version", 2)
      }
      let newer = fileError { () throws(FileError) in try run.snapshot(at: 5) }
      #expect(newer?.remedy == "A newer Spectroscope wrote it: update yours")
    }
  }

  /// Whatever is cut off, the file is refused and the rest of the run can be read.
  @Test func aTruncatedCheckpointIsRefused() throws {
    try withFolder { folder in
      try SampleRun.write(to: folder + "/run")
      let path = folder + "/run/checkpoints/00000010.h5"
      let whole = try bytes(of: path)
      let run = try RunFolder(path: folder + "/run")
      for length in Set([0, 1, 95, 96, 97, whole.count - 1] + Array(stride(from: 100, to: whole.count, by: 1999))) {
        try PendingFile.write(Array(whole.prefix(length)), to: path)
        let error = fileError { () throws(FileError) in try run.snapshot(at: 10) }
        #expect(error?.kind == .badContent && error?.path == path)
        #expect(try run.snapshot(at: 5) == SampleRun.snapshot(5))
      }
    }
  }

  @Test func filesByTheirNamesBelongToTheirRun() throws {
    try withFolder { folder in
      try SampleRun.write(to: folder + "/run")
      for name in ["run.h5", "training.h5", "training.jsonl", "checkpoints/00000005.h5"] {
        #expect(RunLayout.run(holding: folder + "/run/" + name) == folder + "/run", "\(name)")
      }
      for name in ["run/analysis.h5", "run/checkpoints/5.h5", "run.h5", "00000005.h5"] {
        #expect(RunLayout.run(holding: folder + "/" + name) == nil, "\(name)")
      }
    }
  }
}
