/// What the `config.json` of a model says about the form of its weights. A file that is missing or broken says nothing.
struct ModelConfiguration {
  private let json: JSONValue
  private let folder: String

  /// Reads the file in the model's folder, or in the folder of the model's only file.
  init(besides path: String, isFile: Bool) {
    folder = isFile ? path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "." : path
    json = (try? JSONValue(contentsOf: folder + "/config.json", allowingNonFinite: true)) ?? .null
  }

  /// The method by which the weights were quantised, such as `bitsandbytes`.
  var quantizationMethod: String? { json["quantization_config"]?["quant_method"]?.string }

  /// The rows and columns that share a scale.
  var scaleBlock: (rows: Int, columns: Int) {
    let sizes = json["quantization_config"]?["weight_block_size"]?.array?.compactMap(\.int) ?? []
    return sizes.count == 2 && sizes.allSatisfy { $0 > 0 } ? (sizes[0], sizes[1]) : (128, 128)
  }

  /// The model that a quantised one was made from, as far as its name tells: `unsloth/x-bnb-4bit` comes from `unsloth/x`.
  var unquantizedName: String? {
    if let name = json["_name_or_path"]?.string, !name.isEmpty { return Self.withoutSuffix(name) ?? name }
    return folder.split(separator: "/").last.flatMap { Self.withoutSuffix(String($0)) }
  }

  /// The name up to what a quantiser adds to it; nil where it adds nothing.
  private static func withoutSuffix(_ name: String) -> String? {
    let lowercased = name.lowercased()
    let suffixes = ["-unsloth-bnb-4bit", "-bnb-4bit", "-bnb-8bit", "-gptq", "-awq", "-4bit", "-8bit"]
    let starts = suffixes.compactMap { lowercased.firstRange(of: $0)?.lowerBound }
    guard let start = starts.min(), start > lowercased.startIndex, lowercased.utf8.count == name.utf8.count else {
      return nil
    }
    return String(name.prefix(lowercased.distance(from: lowercased.startIndex, to: start)))
  }
}

/// Weights that a quantiser packed into integers, with tables beside them. They are recognised and not read: what was
/// rounded to four bits is not the base that an update is measured against.
enum PackedWeights {
  /// Throws `.badContent` where the names of a model's tensors show packed weights, with the base to pass instead.
  ///
  /// The configuration alone is no sign: it also stands beside full weights that are to be quantised when loaded.
  static func refuse(
    _ names: [String], _ configuration: ModelConfiguration, path: String
  ) throws(FileError) {
    for name in names {
      guard let kind = kind(of: name, configuration.quantizationMethod) else { continue }
      let original = configuration.unquantizedName.map { ", which by its name is " + FileError.quoted($0) } ?? ""
      throw FileError(
        .badContent, path: path, object: "tensor " + FileError.quoted(name),
        "expected weights as floating-point numbers, found \(kind)",
        remedy: "Pass the unquantized model that it was made from\(original)")
    }
  }

  private static func kind(of name: String, _ method: String?) -> String? {
    if name.hasSuffix(".absmax") || name.contains(".quant_state.bitsandbytes__") {
      return "weights packed into 4 bits by bitsandbytes"
    }
    if name.hasSuffix(".SCB") { return "weights in 8-bit integers of bitsandbytes" }
    if name.hasSuffix(".qweight") {
      let maker = method.flatMap { ["gptq": "GPTQ", "awq": "AWQ"][$0] } ?? "GPTQ or AWQ"
      return "weights packed by \(maker)"
    }
    return name.hasSuffix(".weight_packed") ? "weights packed by compressed-tensors" : nil
  }
}
