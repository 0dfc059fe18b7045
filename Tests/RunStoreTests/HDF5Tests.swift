import Foundation
import RunStore
import Testing
import Weights

@Suite struct HDF5Tests {
  @Test func theLibraryIsUsable() {
    #expect(HDF5Library.isThreadSafe)
    #expect(HDF5Library.version.wholeMatch(of: /\d+\.\d+\.\d+/) != nil)
    #expect(HDF5Library.obstacle(version: "1.10.8", isThreadSafe: true) == nil)
    #expect(
      HDF5Library.obstacle(version: "1.10.8", isThreadSafe: false)?.description
        == "libhdf5: expected a thread-safe build of HDF5, found 1.10.8 without thread safety"
        + ". Install the serial flavour (Debian: libhdf5-dev, `pkg-config hdf5-serial`) and build again")
  }

  @Test func arraysOfAnyRankComeBack() throws {
    try withFolder { folder in
      let path = "\(folder)/a.h5"
      try HDF5File.write(to: path) { (root) throws(FileError) in
        let group = try root.createGroup("größe")
        try group.write([1.5, -0.0, .infinity, .leastNonzeroMagnitude, 5, 6], shape: [1, 2, 3], named: "double")
        try group.write([Float.pi, .greatestFiniteMagnitude], shape: [2], named: "float")
        try group.write([Int.min, Int.max], shape: [2, 1], named: "int")
        try group.write([7], shape: [], named: "scalar")
        try group.write([Double](), shape: [3, 0], named: "none")
        try group.write(["a", "", "größe"], named: "texts")
        try group.write([], named: "no texts")
        try group.write(text: "", named: "empty")
        try group.setAttribute("int", -3)
        try group.setAttribute("double", 0.1)
        try group.setAttribute("text", "größe")
        try group.setAttribute("empty", "")
        try group.setAttribute("texts", ["a", "", "b"])
        try group.link("again", to: try group.dataset("int"))
      }
      let group = try HDF5File.open(path).root().group("größe")
      #expect(
        try group.members() == [
          "again", "double", "empty", "float", "int", "no texts", "none", "scalar", "texts",
        ])
      #expect(try group.dataset("double").shape() == [1, 2, 3])
      let doubles: [Double] = try group.dataset("double").read()
      #expect(doubles == [1.5, -0.0, .infinity, .leastNonzeroMagnitude, 5, 6] && doubles[1].sign == .minus)
      #expect(try group.dataset("float").read() == [Float.pi, .greatestFiniteMagnitude])
      #expect(try group.dataset("again").read() == [Int.min, Int.max])
      #expect(try group.dataset("scalar").shape() == [])
      #expect(try group.dataset("scalar").read() == [7.0])
      #expect(try group.dataset("none").shape() == [3, 0])
      #expect(try group.dataset("none").read() == [Double]())
      #expect(try group.dataset("texts").readTexts() == ["a", "", "größe"])
      #expect(try group.dataset("no texts").readTexts() == [])
      #expect(try group.dataset("empty").readTexts() == [""])
      #expect(try group.number("int") == -3)
      #expect(try group.number("double") == 0.1)
      #expect(try group.number("none") == Int?.none)
      #expect(try group.text("text") == "größe")
      #expect(try group.text("empty") == "")
      #expect(try group.texts("texts") == ["a", "", "b"])
      #expect(try group.contains("none"))
      #expect(try !group.contains("nothing"))
    }
  }

  @Test func aFileWithOpenObjectsDoesNotClose() throws {
    try withFolder { folder in
      let path = "\(folder)/a.h5"
      var kept: HDF5Group?
      let error = fileError { () throws(FileError) in
        try HDF5File.write(to: path) { (root) throws(FileError) in kept = try root.createGroup("kept") }
      }
      _ = consume kept
      let left = try entries(of: folder)
      #expect(error?.kind == .cannotWrite)
      #expect(error?.description.hasPrefix("\(path): /: cannot close: ") == true)
      #expect(left.isEmpty)
    }
  }

  /// Failures of one thread must not show up in another one's messages, and nothing may be printed or corrupted.
  @Test func manyThreadsShareTheLibrary() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "runstore-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<16 {
        group.addTask { try Self.hammer("\(folder)/\(worker)", worker) }
      }
      try await group.waitForAll()
    }
  }

  private static func hammer(_ path: String, _ worker: Int) throws {
    for round in 0..<10 {
      let values = (0..<100).map { worker * 1000 + round * 100 + $0 }
      try HDF5File.write(to: path) { (root) throws(FileError) in
        try root.write(values, shape: [10, 10], named: "values")
      }
      let root = try HDF5File.open(path).root()
      #expect(try root.dataset("values").read() == values)
      let error = fileError { () throws(FileError) in _ = try root.group("values") }
      #expect(error?.path == path)
      #expect(error?.object == "/values")
      let missing = fileError { () throws(FileError) in _ = try root.dataset("worker\(worker)") }
      #expect(missing?.description == "\(path): /worker\(worker): expected an object of this name, found none")
    }
  }
}
