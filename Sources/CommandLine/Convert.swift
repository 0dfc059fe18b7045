import Adapters
import ArgumentParser
import Foundation
import Measurement
import RunStore
import Training
import Weights

/// The forms that `--to` names.
enum ConvertedForm: String, CaseIterable, ExpressibleByArgument {
  case peft, hdf5
}

/// `spectroscope convert`.
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns a run folder into PEFT adapters, and PEFT adapters into a run folder.",
    discussion: """
      peft writes folders checkpoint-N, which PeftModel.from_pretrained loads, and on demand a folder base, which transformers \
      loads in Float32. PiSSA, MiLoRA and svd have moved a part of the base into the adapter, and PEFT would not find that \
      part again. So they become LoRA over the residual base, which is then always written, or with --plain LoRA of twice the \
      rank over the original base.

      hdf5 writes a run folder from a folder of checkpoint-N, from one of them, or from a packed run.
      """)

  @Argument(
    help: ArgumentHelp("A run folder or a packed run; for hdf5 also a folder of checkpoints.", valueName: "source"))
  var source: String

  @Option(help: ArgumentHelp("The form to convert to.", valueName: "form"))
  var to: ConvertedForm

  @Option(help: ArgumentHelp("The folder to write, new or empty.", valueName: "dir"))
  var out: String

  @Flag(help: "peft: write the base, too.")
  var withBase = false

  @Flag(help: "peft: write PiSSA, MiLoRA and svd as LoRA of twice the rank over the original base.")
  var plain = false

  @Option(help: ArgumentHelp("The base's folder (default: the one that the source names).", valueName: "dir"))
  var base: String?

  @Option(
    help: ArgumentHelp("hdf5: the adapter as it was at step 0, where it is kept elsewhere.", valueName: "dir"))
  var initial: String?

  @Option(help: "hdf5: the method, where the files cannot tell.")
  var method: StatedMethod?

  @Flag(help: "Print no notes, and do not list what was written.")
  var quiet = false

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a folder, found an empty text") }
    let others: [(name: String, isGiven: Bool, form: ConvertedForm)] = [
      ("--with-base", withBase, .peft), ("--plain", plain, .peft), ("--initial", initial != nil, .hdf5),
      ("--method", method != nil, .hdf5),
    ]
    for (name, isGiven, form) in others where isGiven && form != to {
      throw ValidationError("\(name) goes with --to \(form.rawValue) alone")
    }
  }

  func run() throws {
    try requireNoContent()
    switch to {
    case .peft: try writeAdapters()
    case .hdf5: try writeRun()
    }
  }

  private func requireNoContent() throws(FileError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: out, isDirectory: &isFolder) else { return }
    guard isFolder.boolValue else {
      throw FileError(.cannotCreate, path: out, "expected the name of a folder to write, found a file")
    }
    if (try? FileManager.default.contentsOfDirectory(atPath: out))?.isEmpty == true { return }
    throw FileError(
      .cannotCreate, path: out, "expected a new or empty folder, found one that holds something",
      remedy: "Name another folder")
  }

  private func note(_ text: String) {
    if !quiet { Console.error(text) }
  }
}

// MARK: - To PEFT

extension Convert {
  private func writeAdapters() throws {
    try RunLocation.requireRun(
      at: source, isPackAllowed: true, remedy: "PEFT adapters need no conversion to peft; --to hdf5 makes a run of them"
    )
    let run = try GuardedReading.run(at: source)
    let conversion = try PEFTConversion(of: run, isPlain: plain)
    let model = withBase || conversion.needsBase ? try model(of: run) : nil
    let written = try conversion.write(to: out, base: model, writesBase: withBase)
    for path in written where !quiet { Console.print(path) }
    explain(conversion, run.identity)
    guard !run.damaged.isEmpty else { return }
    for damage in run.damaged { Console.error("Error: \(damage.error)") }
    throw ExitCode(FileError.Kind.badContent.exitCode)
  }

  /// The base of a run, held against what the run recorded of it.
  private func model(of run: ExtractedRun) throws -> PretrainedModel {
    let folder = if let base { base } else { try BaseLocation.folder(for: run.identity.base) }
    if let difference = try run.differenceOfBase(BaseModel(path: folder)) {
      throw FileError(
        .badContent, path: folder, difference, remedy: "Pass the base that the run was trained on with --base")
    }
    return try PretrainedModel(path: folder)
  }

  private func explain(_ conversion: PEFTConversion, _ identity: RunIdentity) {
    let base = out + "/" + PEFTConversion.baseName
    if conversion.needsResidualBase {
      note(
        "\(base) is W₀ − s·B₀·A₀, what \(identity.method) left of its base: these adapters belong on it alone. "
          + "With --plain they go onto the original base")
    } else if plain, AdapterMethod(rawValue: identity.method)?.subtractsStart != true {
      note("--plain changes nothing for \(identity.method), which has left its base as it was")
    }
    if !withBase, !conversion.needsResidualBase, identity.base == RunIdentity.embeddedBase {
      note("the base is a part of this program; with --with-base it is written to \(base)")
    }
  }
}

// MARK: - To a run folder

extension Convert {
  private func writeRun() throws {
    if try RunLocation.unpack(source, to: out) {
      if !quiet { Console.print(out) }
      return
    }
    if RunFolder.isRun(at: source) {
      throw FileError(
        .badContent, path: source, "expected PEFT adapters or a packed run, found a run folder",
        remedy: "It is HDF5 already; `spectroscope pack` makes one file of it")
    }
    let adapters = try RunImport(
      source: source, initial: initial, base: base, method: method?.method, createdBy: "spectroscope \(programVersion)")
    try adapters.write(to: out)
    if !quiet { Console.print(out) }
  }
}
