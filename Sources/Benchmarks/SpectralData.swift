import Foundation
import Weights

/// Bases and series that `peers/spectral.py` makes: layers of the same shapes with different values.
struct SpectralData {
  enum Size: String {
    case large = "1.5b"
    case larger = "7b"

    /// The layers of the whole model.
    var layers: Int { self == .large ? 28 : 32 }
    var shapes: String {
      self == .large ? "1.5B (hidden 1536, ffn 8960)" : "7B (hidden 4096, ffn 14336)"
    }
  }

  let python: String

  /// Makes `base` and `series` in a folder, whole or not at all.
  func make(_ folder: String, size: Size, layers: Int, checkpoints: Int) throws {
    note("making \(layers) layers of \(size.rawValue) shapes in \(folder)")
    let unfinished = folder + ".unfinished"
    try? FileManager.default.removeItem(atPath: unfinished)
    let maker = try Peer(
      python: python, script: "spectral.py",
      arguments: [
        "make", "--out", unfinished, "--size", size.rawValue, "--layers", "\(layers)", "--checkpoints",
        "\(checkpoints)",
      ], threads: 1)
    maker.stop()
    try FileManager.default.moveItem(atPath: unfinished, toPath: folder)
  }

  /// How many layers a folder's base has.
  static func layers(of folder: String) throws(FileError) -> Int {
    let names = try BaseModel(path: folder + "/base").tensorNames
    return names.count { $0.hasSuffix("mlp.down_proj.weight") }
  }
}
