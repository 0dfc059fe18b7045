import Weights

/// An error on its way from one process to another.
package enum FileErrorJSON {
  /// The error as one JSON object.
  package static func json(of error: FileError) -> JSONValue {
    [
      "kind": .string(name(of: error.kind)), "path": .string(error.path), "object": .string(error.object),
      "problem": .string(error.problem), "remedy": .string(error.remedy),
    ]
  }

  /// Reads the object back; nil where it is none.
  package static func error(in json: JSONValue) -> FileError? {
    guard let name = json["kind"]?.string, let kind = kinds.first(where: { self.name(of: $0) == name }),
      let path = json["path"]?.string, let object = json["object"]?.string, let problem = json["problem"]?.string,
      let remedy = json["remedy"]?.string
    else { return nil }
    return FileError(kind, path: path, object: object, problem, remedy: remedy)
  }

  private static let kinds: [FileError.Kind] = [.badContent, .nonFinite, .cannotOpen, .cannotCreate, .cannotWrite]

  private static func name(of kind: FileError.Kind) -> String {
    switch kind {
    case .badContent: "bad content"
    case .nonFinite: "not finite"
    case .cannotOpen: "cannot open"
    case .cannotCreate: "cannot create"
    case .cannotWrite: "cannot write"
    }
  }
}
