import Adapters
import Weights

/// The index of a run, `run.h5`, by which h5py, h5dump and h5web see the run as one file. All of it is in the checkpoints too.
///
///     /                           format, format_version, and the identity's attributes
///     /config                     the full configuration as JSON text
///     /initial/<module>/<tensor>  the adapter at step 0, with its attribute sha256
///     /checkpoints/<step>         external links to the checkpoints
enum RunIndex {
  private static let format = HDF5Format(
    name: "spectroscope-run", version: 1, description: "the index of a run", remedy: remedy, remedyForOlder: remedy)
  private static let remedy = "Delete it: it is made again from the checkpoints"

  /// Writes the index of the run folder at `run` whole, with links to the checkpoints that are in it.
  ///
  /// - Parameter initial: the adapter at step 0, where it is known.
  /// Throws `.cannotOpen` where they cannot be listed, `.cannotCreate` or `.cannotWrite`.
  static func write(_ identity: RunIdentity, initial: AdapterSnapshot?, in run: String) throws(FileError) {
    let steps = try RunLayout.steps(in: run)
    try HDF5File.write(to: run + "/" + RunLayout.index) { (root) throws(FileError) in
      try format.write(to: root)
      try write(identity, initial: initial, to: root)
      let links = try root.createGroup("checkpoints")
      for step in steps { try links.linkExternally(String(step), to: "/", inFile: RunLayout.checkpoint(step)) }
    }
  }

  /// Writes the identity, the configuration and the adapter at step 0.
  static func write(
    _ identity: RunIdentity, initial: AdapterSnapshot?, to root: borrowing HDF5Group
  ) throws(FileError) {
    try identity.writeAttributes(to: root)
    try root.write(text: identity.configuration.text(), named: "config")
    if let initial { try initial.write(to: try root.createGroup("initial")) }
  }

  /// The identity in the index of the run folder at `run`; throws `.cannotOpen` or `.badContent`.
  static func identity(in run: String) throws(FileError) -> RunIdentity { try identity(of: try open(run)) }

  /// The identity of which `root` has the attributes and the configuration; throws `.badContent`.
  static func identity(of root: borrowing HDF5Group) throws(FileError) -> RunIdentity {
    // Where the configuration cannot be read, the digest of the identity tells whether that is damage.
    let configuration = try? root.dataset("config").readTexts()
    return try RunIdentity(attributesOf: root, configuration: configuration?.first ?? "")
  }

  /// The adapter at step 0 in the index of the run folder at `run`; throws `.cannotOpen` or `.badContent`.
  static func initial(in run: String) throws(FileError) -> AdapterSnapshot {
    try AdapterSnapshot(step: 0, from: try open(run).group("initial"))
  }

  private static func open(_ run: String) throws(FileError) -> HDF5Group {
    let root = try HDF5File.open(run + "/" + RunLayout.index).root()
    try format.require(of: root)
    return root
  }
}
