import RunStore
import Weights

extension CommaSeparatedText {
  /// The lines of a table.
  ///
  /// - Parameter path: what the text is called in errors.
  /// - Throws: `.badContent` with the line that is none of a table.
  static func rows(of bytes: ArraySlice<UInt8>, path: String) throws(FileError) -> [Row] {
    do throws(Failure) {
      return try rows(of: bytes)
    } catch {
      throw FileError(.badContent, path: path, object: "line \(error.line)", error.problem)
    }
  }
}
