/// The trainer's log cannot be read, or a part of it.
enum DamagedLog: FindingKind {
  static let page = FindingPage(
    "SP415", "damaged-log", .warning,
    meaning: "A log that lies with the checkpoints is cut short, or is not what its name says, and was left out.",
    harm: "Behaviour is not judged, or only in part: reward, KL and entropy stay unseen.",
    evidence: "The file, the line or record in it, what was expected and what was found.",
    thresholds: [.exact("unreadable logs", "1")],
    source: "Formats and checksums of the logs.")

  static func remedy(for setup: RunSetup) -> String {
    "Name another log of the run with --log (trainer_state.json, TensorBoard's event files, verl's JSON lines, CSV), or delete the damaged one."
  }
}
