import Training
import Weights

/// A base in memory, with what a run records of it: loaded once, however many runs begin at it.
struct LoadedBase: Sendable {
  let model: PretrainedModel
  /// `BaseIdentity.sha256` of it.
  let id: String

  /// - Parameter recorded: the base's folder, or `embedded`.
  init(_ recorded: String) throws(FileError) {
    let folder = try BaseLocation.folder(for: recorded)
    model = try PretrainedModel(path: folder)
    id = try BaseIdentity.sha256(of: BaseModel(path: folder))
  }
}
