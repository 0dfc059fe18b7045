import Weights

/// What one of our files says of itself in the root attributes `format` and `format_version`.
struct HDF5Format {
  let name: String
  let version: Int
  /// What a file of this format is, with its article.
  let description: String
  /// What to do about a file of another format.
  let remedy: String
  /// What to do about an older version.
  let remedyForOlder: String

  func write(to root: borrowing HDF5Group) throws(FileError) {
    try root.setAttribute("format", name)
    try root.setAttribute("format_version", version)
  }

  /// Throws unless the file is of this format and version, and says what it is instead.
  func require(of root: borrowing HDF5Group) throws(FileError) {
    let found = try root.hasAttribute("format") ? try root.text("format") : nil
    guard found == name else {
      let what = found.map { "one of format '\($0)'" } ?? "an HDF5 file without the attribute 'format'"
      throw root.location.error("expected \(description) (format '\(name)'), found \(what)", remedy: remedy)
    }
    let stated: Int? = try root.number("format_version")
    guard stated == version else {
      throw root.location.error(
        "expected format_version \(version), found \(stated.map(String.init) ?? "none")",
        remedy: (stated ?? 0) > version ? "A newer Spectroscope wrote it: update yours" : remedyForOlder)
    }
  }
}
