import Weights

extension TrainingConfiguration {
  /// Opens the task that the configuration names, and records the hash of its file.
  ///
  /// - Returns: nil where no built-in task has that name.
  /// - Throws: as `QuestionFile.init(path:verifier:)`, and where a question does not fit the base.
  package mutating func openTask(for base: PretrainedModel) throws(FileError) -> (any VerifiableTask)? {
    guard TaskRegistry.isFile(task) else { return TaskRegistry.task(named: task) }
    let opened = try QuestionTask(path: task, questions)
    taskSHA256 = opened.sha256
    if let tokenizer = base.tokenizer { try opened.check(tokenizer, maximumLength: base.configuration.maximumLength) }
    return opened
  }
}
