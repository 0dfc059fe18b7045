import ArgumentParser
import Foundation
import LinearAlgebra
import Measurement
import Training
import Weights

/// How an error leaves the program: one message on standard error, one exit code.
enum Failure {
  /// Never returns. Errors of the argument parser keep its own text and its code 64.
  @inline(never)
  static func exit(with error: any Error) -> Never {
    switch error {
    case let error as FileError:
      Console.error("Error: \(error)")
      Foundation.exit(error.kind.exitCode)
    case let error as ShardMerge.Refusal:
      for problem in error.problems { Console.error("Error: \(problem)") }
      Foundation.exit(FileError.Kind.badContent.exitCode)
    case let error as MeasurementPlan.Interrupted:
      Console.error(
        "Interrupted: \(error.progress.done) of \(error.progress.total) pieces are done and kept in \(error.journal). "
          + "The same command goes on from there.")
      // What a shell reports for a program that an interrupt has ended.
      Foundation.exit(128 + SIGINT)
    case let error as TrainingInterrupted:
      Console.error("Interrupted: \(error.message)")
      Foundation.exit(128 + SIGINT)
    case let error as TrainingError:
      Console.error("Error: \(error)")
      Foundation.exit(error.exitCode)
    case let error as PlanError:
      Console.error("Error: \(error)")
      Foundation.exit(64)
    case let error as LinearAlgebraError:
      Console.error("Error: \(error). This is a defect of the program; please report it with the command")
      Foundation.exit(70)
    default:
      Spectroscope.exit(withError: error)
    }
  }
}

extension FileError.Kind {
  /// By `sysexits.h`.
  var exitCode: Int32 {
    switch self {
    case .badContent, .nonFinite: 65
    case .cannotOpen: 66
    case .cannotCreate: 73
    case .cannotWrite: 74
    }
  }
}

extension TrainingError {
  /// A wrong wish is wrong usage; a base that cannot serve is bad content.
  var exitCode: Int32 {
    switch self {
    case .unknownTask, .noTargets, .rankTooLarge, .notTrained, .noDropout, .noAllocation, .noPatterns,
      .patternWithoutModule, .initialRankTooSmall:
      64
    case .noTokenizer, .tokenization, .tooLong, .otherStart, .otherState: 65
    case .start, .step, .startIsOff: 70
    }
  }
}
