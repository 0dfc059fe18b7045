import Adapters
import Weights

/// A checkpoint of a run: the adapter at a step, and which run it belongs to.
///
///     /                   format, format_version, step, wall_time, sha256 of the tensors; the identity and its config
///     /<module>/<tensor>  float32; the module's name keeps its dots
///
/// It knows its run, so that the run's index can be made again from any checkpoint.
package struct RunCheckpoint: Equatable, Sendable {
  /// Nil in a file that others wrote, whose run is told by its folder alone.
  package var identity: RunIdentity?
  package var snapshot: AdapterSnapshot
  /// When it was taken, in seconds since 1970; nil where unknown. No part of what a run is: two equal runs differ in it.
  package var wallTime: Double?

  package init(identity: RunIdentity?, snapshot: AdapterSnapshot, wallTime: Double? = nil) {
    self.identity = identity
    self.snapshot = snapshot
    self.wallTime = wallTime
  }

  private static let format = HDF5Format(
    name: "spectroscope-checkpoint", version: 1, description: "a checkpoint of a run",
    remedy: "Restore the file from a copy", remedyForOlder: "Restore the file from a copy")

  /// Writes the file whole; throws `.cannotCreate` or `.cannotWrite`.
  package func write(to path: String) throws(FileError) {
    try HDF5File.write(to: path) { (root) throws(FileError) in try write(to: root) }
  }

  /// Writes everything into a group, which is the file's root, or stands for it.
  func write(to root: borrowing HDF5Group) throws(FileError) {
    try Self.format.write(to: root)
    if let identity {
      try identity.writeAttributes(to: root)
      try root.setAttribute("config", identity.configuration.text())
    }
    try root.setAttribute("step", snapshot.step)
    if let wallTime { try root.setAttribute("wall_time", wallTime) }
    try snapshot.write(to: root)
  }

  /// Reads the file at `path`, which by its name is that of `step`, and by its folder one of `run`, where that is known.
  ///
  /// Throws `.cannotOpen`, or `.badContent` for a file that is damaged, of another format, step or run, or of a newer version.
  package static func read(from path: String, step: Int, of run: RunIdentity?) throws(FileError) -> RunCheckpoint {
    try read(from: try HDF5File.open(path).root(), step: step, of: run)
  }

  /// Reads the checkpoint that a group holds; throws `.badContent` as above.
  static func read(
    from root: borrowing HDF5Group, step: Int, of run: RunIdentity?
  ) throws(FileError) -> RunCheckpoint {
    if try root.hasAttribute("format") { try format.require(of: root) }
    let stated: Int? = try root.number("step")
    guard stated == step else {
      throw root.location.error(
        "expected step \(step), as the name says, found \(stated.map(String.init) ?? "none")",
        remedy: "Give the file its name back")
    }
    guard try root.hasAttribute("sha256") else {
      throw root.location.error(
        "expected the attribute 'sha256', found none", remedy: "Restore the file from a copy")
    }
    var identity: RunIdentity?
    if try root.hasAttribute("method") {
      identity = try RunIdentity(attributesOf: root, configuration: try root.text("config") ?? "")
    }
    if let run, let identity, identity.meaning != run.meaning {
      throw root.location.error(
        "expected an adapter of its run (\(run.meaning)), found one of another (\(identity.meaning))",
        remedy: "Are there two runs in this folder? Take the checkpoints of the other one out")
    }
    return RunCheckpoint(
      identity: identity, snapshot: try AdapterSnapshot(step: step, from: root), wallTime: try root.number("wall_time"))
  }
}
