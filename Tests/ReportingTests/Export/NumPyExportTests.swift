import Foundation
import Reporting
import RunStore
import Spectra
import Testing

/// NumPy's arrays, byte for byte as NumPy writes them.
@Suite struct NumPyExportTests {
  /// The entries of an archive whose headers have their sizes, which is how ours are.
  private func entries(of archive: [UInt8]) throws -> [(name: String, content: [UInt8])] {
    func integer(_ start: Int, _ size: Int) -> Int {
      archive[start..<start + size].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    var entries: [(String, [UInt8])] = []
    var start = 0
    while integer(start, 4) == 0x0403_4B50 {
      let name = start + 30
      let content = name + integer(start + 26, 2) + integer(start + 28, 2)
      let end = content + integer(start + 18, 4)
      entries.append(
        (String(decoding: archive[name..<name + integer(start + 26, 2)], as: UTF8.self), Array(archive[content..<end])))
      start = end
    }
    #expect(integer(start, 4) == 0x0201_4B50)
    return entries
  }

  @Test func arraysAreAsNumPyWritesThem() throws {
    let analysis = Analysis(
      rows: [
        row(5, "q", values: [2, 1.5], metrics: [.relativeNorm: 0.1]),
        row(10, "\u{1F600}", values: [0.25], metrics: [.relativeNorm: .leastNonzeroMagnitude]),
        row(10, "q", values: [3], metrics: [.relativeNorm: 1.0 / 3]),
      ], baseNorms: ["größe · ‖ΔW‖": 1])
    let training = try ExportSamples.training(
      #"{"step": 1, "reward": 0.5}"#, #"{"step": 2, "reward": null}"#, #"{"step": 3, "reward": 1e-7}"#)
    let files = try ExportSamples.files(of: analysis, training: training, as: .npz)
    let found = try entries(of: try #require(files["spectra.npz"]))
    let contents = Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0.content) })
    for name in ["step", "module", "init/relative_norm", "init/singular_values", "training/reward"] {
      let reference = try ExportSamples.reference(name.replacing("/", with: "_") + ".npy")
      #expect(contents[name + ".npy"] == reference, "\(name)")
    }
    #expect(found.prefix(4).map(\.name) == ["step.npy", "module.npy", "init/method.npy", "init/relative_norm.npy"])
    #expect(contents["base/frobenius_norm.npy"] != nil && contents["init/stable_rank.npy"] == nil)
  }

  @Test func anEmptyAnalysisHasItsAxes() throws {
    let files = try ExportSamples.files(of: Analysis(), as: .npz)
    let found = try entries(of: try #require(files["spectra.npz"]))
    #expect(found.map(\.name) == ["step.npy", "module.npy"])
    #expect(found.allSatisfy { String(decoding: $0.content, as: UTF8.self).contains("'shape': (0,)") })
  }
}
