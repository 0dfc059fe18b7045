import ArgumentParser
import Foundation
import Measurement

/// `--shard`, of the commands whose work several processes can share.
struct ShardArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Do the i-th of n parts, counted from 0; several processes and machines may each do one at the same time. auto takes i and n from "
        + "Slurm's job array or tasks. Without it everything is done, also inside a job array.",
      valueName: "i/n"),
    transform: Self.shard)
  var shard: Shard?

  @Sendable private static func shard(_ text: String) throws -> Shard {
    do throws(ShardError) {
      return try text == "auto" ? Shard(slurm: ProcessInfo.processInfo.environment) : Shard(text)
    } catch {
      throw ValidationError(error.message)
    }
  }
}
