import Adapters
import OrderedCollections
import Weights

extension AdapterSnapshot {
  /// The SHA-256 of all tensors' bytes, float32 in little-endian order: modules in the order of their names' bytes, and the
  /// tensors in each alike, which is the order in which HDF5 lists them.
  package var sha256: String {
    var digest = SHA256()
    for (_, tensors) in modules.sorted(by: { Self.precedes($0.key, $1.key) }) {
      for tensor in tensors.sorted(by: { Self.precedes($0.name, $1.name) }) { digest.update(tensor.values) }
    }
    return digest.hexadecimal
  }

  private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

  /// Writes a group for each module, and in it a dataset for each tensor.
  func write(to group: borrowing HDF5Group) throws(FileError) {
    for (module, tensors) in modules {
      let group = try group.createGroup(module)
      for tensor in tensors { try group.write(tensor.values, shape: tensor.shape, named: tensor.name) }
    }
    try group.setAttribute("sha256", sha256)
  }

  /// Reads the groups back and holds them against the digest that was written with them, if there is one. The modules come in
  /// natural order, the tensors of each by name.
  ///
  /// Throws `.badContent` where a tensor cannot be read, or where the digest says that one has changed.
  init(step: Int, from group: borrowing HDF5Group) throws(FileError) {
    let stated = try group.text("sha256")
    self.init(step: step, modules: [:])
    for module in try group.members().sorted(by: NaturalOrder.precedes) {
      let members = try group.group(module)
      modules[module] = try members.members().map { name throws(FileError) in
        let dataset = try members.dataset(name)
        return Tensor(name: name, shape: try dataset.shape(), values: try dataset.read())
      }
    }
    let found = sha256
    guard let stated, stated != found else { return }
    throw group.location.error(
      "expected tensors with the sha256 \(FileError.head(ofDigest: stated)), found \(FileError.head(ofDigest: found)): "
        + "they have changed since they were written",
      remedy: "Restore the file from a copy")
  }
}

extension FileError {
  /// The beginning of a digest, enough to tell two apart, in quotes: the text may be anybody's.
  package static func head(ofDigest digest: String) -> String { quoted(String(digest.prefix(12))) }
}
