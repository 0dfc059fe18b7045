/// The help texts as they are printed where the terminal's width is unknown (80 columns).
enum HelpText {
  static let rootUsage = "spectroscope <subcommand>"
  static let analyzeUsage = "spectroscope analyze [<options>] <source>"
  static let mergeUsage =
    "spectroscope merge <output> ... [--out <file>] [--allow-mixed-kernels] [--json] [--quiet]"
  static let diagnoseUsage = "spectroscope diagnose <file> [--json] [--quiet]"
  static let basisUsage =
    "spectroscope basis <base-dir> [--out <dir>] [--k <n>] [--vectors <vectors>] [--jobs <n>] [--verify] "
    + "[--shard <i/n>] [--json] [--quiet]"
  static let compareUsage = "spectroscope compare <file> ... [--points <n>] [--json] [--quiet]"
  static let reportUsage = "spectroscope report <file> ... [--out <file>] [--quiet]"
  static let serveUsage =
    "spectroscope serve <file> ... [--port <n>] [--interval <seconds>] [--depth <depth>] [--quiet]"
  static let exportUsage = "spectroscope export <file> --format <format> --out <dir> [--quiet]"
  static let inspectUsage = "spectroscope inspect <path> [--json] [--quiet]"
  static let convertUsage =
    "spectroscope convert <source> --to <form> --out <dir> [--with-base] [--plain] [--base <dir>] "
    + "[--initial <dir>] [--method <method>] [--quiet]"
  static let packUsage = "spectroscope pack <run> --out <file> [--quiet]"
  static let gateUsage =
    "spectroscope gate [<file>] [--policy <file>] [--format <format>] [--out <file>] [--base <dir>] "
    + "[--initial <dir>] [--method <method>] [--schema] [--json] [--quiet]"
  static let explainUsage =
    "spectroscope explain [<code> ...] [--json] [--quiet]"
  static let doctorUsage = "spectroscope doctor [--json] [--quiet]"

  static let corpus = """
    OVERVIEW: Makes labelled runs, takes the detectors' bounds from one half, and
    counts their errors on the other.

    USAGE: spectroscope corpus <subcommand>

    OPTIONS:
      --version               Show the version.
      -h, --help              Show help information.

    SUBCOMMANDS:
      make                    Trains and measures every run of a corpus.
      calibrate               Takes the detectors' bounds from the calibration half
                              of a corpus.
      score                   Counts what the detectors would have said of the test
                              half of a corpus.
      gate                    Trains the test half's collapsed and clean runs
                              again, under gates that roll back.
      page                    Renews the tables and curves of the page that says
                              how good the verdict is.

      See 'spectroscope help corpus <subcommand>' for detailed help.
    """

  static let subcommands = [
    ("demo", TrainingHelpText.demo), ("plan", TrainingHelpText.plan), ("train", TrainingHelpText.train),
    ("lab", TrainingHelpText.lab),
    ("pretrain", TrainingHelpText.pretrain),
    ("analyze", analyze), ("merge", merge), ("diagnose", diagnose), ("gate", gate), ("watch", WatchHelpText.watch),
    ("integrate", WatchHelpText.integrate), ("compare", compare), ("report", report), ("serve", serve),
    ("explain", explain),
    ("basis", basis),
    ("export", export), ("inspect", inspect), ("convert", convert), ("pack", pack), ("doctor", doctor),
  ]

  static let root = """
    OVERVIEW: Shows whether a parameter-efficient fine-tuning run is collapsing,
    from the weights of its checkpoints.

    Start with:
      spectroscope demo             (trains a healthy run and a collapsing one)
      spectroscope inspect PATH     (says what a file or folder is)
      spectroscope analyze RUN --base BASE --out analysis.h5
      spectroscope diagnose analysis.h5   (is it sick, and why?)
      spectroscope report analysis.h5 --out report.html   (the same to look at)
      spectroscope export analysis.h5 --format csv --out spectra/

    Exit codes:
        0  success; the gate says healthy
        1  the gate says alert
        2  the gate is inconclusive
       64  wrong usage
       65  the input's content is bad; what could be analysed is still written
       66  the input cannot be opened
       70  a defect in this program
       73  the output cannot be created
       74  the output cannot be written
      130  interrupted

    USAGE: \(rootUsage)

    OPTIONS:
      --version               Show the version.
      -h, --help              Show help information.

    SUBCOMMANDS:
      demo                    Trains a healthy run and a collapsing one, and sets
                              them side by side.
      plan                    Says before a run how large its first steps will be,
                              against LoRA's, and what to look out for.
      train                   Fine-tunes a small base model with one method and
                              writes a run folder.
      lab                     Trains a grid of runs and says which collapse, and at
                              which learning rate.
      corpus                  Makes labelled runs, takes the detectors' bounds from
                              one half, and counts their errors on the other.
      pretrain                Makes a small base model by supervised learning.
      analyze                 Computes the spectrum of every module's update at
                              every checkpoint.
      merge                   Joins the shards of an analysis to one file.
      diagnose                Says in words whether a run is sick, since when, why,
                              and what to do.
      gate                    Says by its exit code whether a run is healthy.
      watch                   Follows the folder in which a trainer writes its
                              checkpoints, and alerts.
      integrate               Prints what plugs the program into a trainer or a
                              cluster.
      compare                 Sets runs side by side, at equal steps and at equal
                              size of the update.
      report                  Writes one HTML file that shows a run, or several
                              side by side.
      serve                   Shows the report in a browser, and keeps it up to
                              date while runs go on.
      explain                 Explains findings: what they mean, why they are bad,
                              and what to do.
      basis                   Computes the spectral basis of a base model, which
                              every analysis over it uses.
      export                  Writes the data of an analysis for plotting.
      inspect                 Says what a file or folder is, and what is wrong with
                              it.
      convert                 Turns a run folder into PEFT adapters, and PEFT
                              adapters into a run folder.
      pack                    Makes one self-contained HDF5 file of a run.
      doctor                  Shows versions, threads and libraries, and tests BLAS
                              and SVD against plain Swift.

      See 'spectroscope help <subcommand>' for detailed help.
    """

  static let diagnose = """
    OVERVIEW: Says in words whether a run is sick, since when, why, and what to do.

    The verdict first: healthy, alert, or inconclusive where there is too little to
    judge by. Then the findings in order of onset, the module that left its band
    first, the last healthy checkpoint, what to do next, and what could not be
    judged. `spectroscope explain CODE` tells more of a finding. The exit code is 0
    whatever the verdict: `spectroscope gate` is for scripts.

    USAGE: \(diagnoseUsage)

    ARGUMENTS:
      <file>                  An analysis file, or a run folder or packed run that
                              holds one.

    OPTIONS:
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let analyze = """
    OVERVIEW: Computes the spectrum of every module's update at every checkpoint.

    The source is a run folder of this program or a packed run, a folder of
    checkpoints (checkpoint-N of the Hugging Face Trainer, TRL and unsloth;
    global_step_N of verl; global_stepN_hf of OpenRLHF; numbered files of MLX), of
    adapters or of whole models, or one folder of either. Read so far: LoRA,
    rsLoRA, LoRA+, LoRA-FA, rank-1, PiSSA, MiLoRA, DoRA, AdaLoRA, MiSS, VeRA, IA3,
    LN tuning, LoHa, LoKr, and whole weights.

    A run folder has recorded its base, and another one is refused; its analysis is
    written to its analysis.h5. For other sources name --base and --out, for a
    packed run --out.

    An interrupted analysis goes on where it was when the same command is given
    again.

    With --shard several processes, on one machine or many, each measure a part of
    the modules; `spectroscope merge` joins what they write beside --out to the
    file that one process would have written. What could not be analysed merge
    says, with its exit code: a shard that has done its part ends with 0.

    USAGE: \(analyzeUsage)

    ARGUMENTS:
      <source>                A run folder, a packed run, a folder of checkpoints,
                              or one adapter folder.

    OPTIONS:
      --base <dir>            The base model's folder: Hugging Face safetensors,
                              sharded or not (default: the run's own).
      --out <file>            The analysis file to write (HDF5; default: the run's
                              own).
      --initial <dir>         The adapter as it was at step 0, where it is kept
                              elsewhere.
      --log <path>            A log of the trainer: trainer_state.json,
                              TensorBoard's event files, verl's or other JSON
                              lines, CSV; may be given several times (default: that
                              of the source).
      --method <method>       The method, where the files cannot tell. (values:
                              lora, rslora, pissa, milora, lora-plus, lora-fa,
                              rank1, svd)
      --jobs <n>              How many modules to analyse at once (default: the
                              number of cores).
      --depth <depth>         How deep: update is ΔW alone; geometry holds it
                              against the base; full adds exact spectral shift,
                              intruders and profiles. auto is full where the
                              smaller side of a weight is at most 1024, else
                              geometry. (values: auto, update, geometry, full;
                              default: auto)
      --basis <dir>           The folder that keeps the base's spectral basis
                              (default: 'basis' beside --out if there is one, else
                              a cache folder).
      --k <n>                 How many leading and trailing directions to look at
                              (default: each module's rank).
      --shard <i/n>           Do the i-th of n parts, counted from 0; several
                              processes and machines may each do one at the same
                              time. auto takes i and n from Slurm's job array or
                              tasks. Without it everything is done, also inside a
                              job array.
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let merge = """
    OVERVIEW: Joins the shards of an analysis to one file.

    `spectroscope analyze --shard i/n` writes its part to a file of its own in the
    folder <out>.shards. This makes of all of them the file <out> that one process
    would have written, and leaves them as they are. It names what is missing or
    damaged, and refuses shards of different n, inputs, options, versions or
    kernels; then the exit code is 65 and nothing is written.

    basis and lab need no joining: what their shards make lies in the folder where
    others look for it. The same command without --shard keeps all of it, makes
    what is missing, and writes the tables of lab.

    USAGE: \(mergeUsage)

    ARGUMENTS:
      <output>                What --out of the shards named, or a run folder, or a
                              folder of shards; several where the machines had none
                              in common.

    OPTIONS:
      --out <file>            The analysis file to write (default: the output of
                              the shards).
      --allow-mixed-kernels   Join pieces whose last digits differ, since other
                              kernels computed them; the file records which.
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let basis = """
    OVERVIEW: Computes the spectral basis of a base model, which every analysis
    over it uses.

    For every weight matrix but embeddings and output layers: all singular values,
    and the singular vectors of both ends of the spectrum (all of them where the
    smaller side is at most 1024). One safetensors file a weight, with tensors
    singular_values, left and right, whose rows are vectors.

    analyze makes what it needs by itself; this makes it ahead, or anew with
    --verify where a weight has changed. An interruption loses only the weights in
    flight.

    With --shard several processes each make a part of it in the same folder; the
    command without makes what is missing then.

    USAGE: \(basisUsage)

    ARGUMENTS:
      <base-dir>              The base model's folder.

    OPTIONS:
      --out <dir>             The folder to write (default: the one that analyze
                              looks in).
      --k <n>                 The largest rank it is to serve. (default: 32)
      --vectors <vectors>     Which vectors to keep where the smaller side is
                              beyond 1024. (values: ends, all; default: ends)
      --jobs <n>              How many weights to decompose at once (default: the
                              number of cores).
      --verify                Compare the SHA-256 of every weight with the one its
                              basis was made of.
      --shard <i/n>           Do the i-th of n parts, counted from 0; several
                              processes and machines may each do one at the same
                              time. auto takes i and n from Slurm's job array or
                              tasks. Without it everything is done, also inside a
                              job array.
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let report = """
    OVERVIEW: Writes one HTML file that shows a run, or several side by side.

    The verdict and the findings, each with the picture that shows it; reward,
    entropy and KL with the onsets; every module at every checkpoint, and for a
    chosen one its spectrum, its geometry against the base, its size and its speed;
    several runs at equal steps and at equal size of the update. The file needs
    nothing else: no network, no fonts. Numbers in it are rounded to 16 bits; exact
    ones are in `export`.

    A folder of `lab` stands for all its runs: those that were analysed are shown,
    and all of them on a map of methods and learning rates.

    USAGE: \(reportUsage)

    ARGUMENTS:
      <file>                  Analysis files, run folders or packed runs that hold
                              one, or a folder of lab.

    OPTIONS:
      --out <file>            The file to write. (default: report.html)
      --quiet                 Print no notes.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let serve = """
    OVERVIEW: Shows the report in a browser, and keeps it up to date while runs go
    on.

    The page of `spectroscope report`, on this machine alone: 127.0.0.1 and ::1. It
    follows what its files do: a run folder is measured again whenever it has a new
    checkpoint, an analysis read again when it has changed, and of a folder that
    `spectroscope watch` follows its analysis is shown. Nothing is written.

    To see it from elsewhere, forward the port: ssh -L 8717:localhost:8717 HOST. An
    interruption ends it, with code 0.

    USAGE: \(serveUsage)

    ARGUMENTS:
      <file>                  Run folders, packed runs, analysis files, folders
                              that are watched, or a folder of lab.

    OPTIONS:
      --port <n>              The port; 0 takes any that is free. (default: 8717)
      --interval <seconds>    How often to look for something new, in seconds.
                              (default: 2.0)
      --depth <depth>         How deep run folders are measured, as in analyze.
                              (values: auto, update, geometry, full; default: auto)
      --quiet                 Print the address alone.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let compare = """
    OVERVIEW: Sets runs side by side, at equal steps and at equal size of the
    update.

    Every run is held against the first. At equal steps a method that takes larger
    steps differs in everything; what remains at equal ‖ΔW‖ is not a matter of step
    size. Differences that the methods fix before training are marked *, those that
    were there at the first line and have not grown since °.

    The runs must lie over the same base and share modules. Energies and overlaps
    are compared where each module was analysed with the same k in all runs
    (`spectroscope analyze --k`).

    USAGE: \(compareUsage)

    ARGUMENTS:
      <file>                  Analysis files, or run folders or packed runs that
                              hold one; two or more.

    OPTIONS:
      --points <n>            How many steps to show, and at how many norms to
                              compare (default: 3); --json has all steps.
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let export = """
    OVERVIEW: Writes the data of an analysis for plotting.

    csv writes modules.csv (one row per step, module and delta),
    singular_values.csv, findings.csv and, of a run folder or where a log was
    joined, training.csv (one row per step); parquet writes the same tables with
    types, json all of them as spectra.json. An empty cell or null means:
    undefined, or not computed at this depth.

    npz writes spectra.npz: dense arrays over steps and modules, NaN for missing.
    tensorboard writes one event file: training, medians over all modules, and a
    few curves each of up to 200 modules. vega-lite writes charts with their data
    inside, NAME.vl.json. A file that exists is replaced.

    USAGE: \(exportUsage)

    ARGUMENTS:
      <file>                  An analysis file, or a run folder or packed run that
                              holds one.

    OPTIONS:
      --format <format>       The format of the files. (values: csv, json, parquet,
                              npz, tensorboard, vega-lite)
      --out <dir>             The folder to write into; created where it is missing.
      --quiet                 Do not list the files written.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let inspect = """
    OVERVIEW: Says what a file or folder is, and what is wrong with it.

    Knows run folders and packed runs, adapter folders, series of checkpoints, base
    models, analysis files, and what is often found in their place: Git LFS
    pointers, truncated files, pickles. Exit code 65 where something is broken, 66
    where it cannot be opened.

    USAGE: \(inspectUsage)

    ARGUMENTS:
      <path>                  A file or folder.

    OPTIONS:
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let convert = """
    OVERVIEW: Turns a run folder into PEFT adapters, and PEFT adapters into a run
    folder.

    peft writes folders checkpoint-N, which PeftModel.from_pretrained loads, and on
    demand a folder base, which transformers loads in Float32. PiSSA, MiLoRA and
    svd have moved a part of the base into the adapter, and PEFT would not find
    that part again. So they become LoRA over the residual base, which is then
    always written, or with --plain LoRA of twice the rank over the original base.

    hdf5 writes a run folder from a folder of checkpoint-N, from one of them, or
    from a packed run.

    USAGE: \(convertUsage)

    ARGUMENTS:
      <source>                A run folder or a packed run; for hdf5 also a folder
                              of checkpoints.

    OPTIONS:
      --to <form>             The form to convert to. (values: peft, hdf5)
      --out <dir>             The folder to write, new or empty.
      --with-base             peft: write the base, too.
      --plain                 peft: write PiSSA, MiLoRA and svd as LoRA of twice
                              the rank over the original base.
      --base <dir>            The base's folder (default: the one that the source
                              names).
      --initial <dir>         hdf5: the adapter as it was at step 0, where it is
                              kept elsewhere.
      --method <method>       hdf5: the method, where the files cannot tell.
                              (values: lora, rslora, pissa, milora, lora-plus,
                              lora-fa, rank1, svd)
      --quiet                 Print no notes, and do not list what was written.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let pack = """
    OVERVIEW: Makes one self-contained HDF5 file of a run.

    The file holds the run's identity, configuration, checkpoints, records and
    analysis, and links to no other; h5py, h5dump and h5web open it. inspect,
    analyze, export and convert take it for the run. What train --resume needs
    stays behind. A run with a damaged checkpoint is refused.

    USAGE: \(packUsage)

    ARGUMENTS:
      <run>                   A run folder.

    OPTIONS:
      --out <file>            The file to write; it must not exist.
      --quiet                 Print no notes.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let doctor = """
    OVERVIEW: Shows versions, threads and libraries, and tests BLAS and SVD against
    plain Swift.

    Exit code 70 where a library gives wrong results, 0 otherwise.

    USAGE: \(doctorUsage)

    OPTIONS:
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let gate = """
    OVERVIEW: Says by its exit code whether a run is healthy.

    Exit code 0: healthy; 1: alert; 2: inconclusive, because there is too little
    data, or because the run is of a kind for which nothing is calibrated, unless
    the policy accepts that. Errors have codes of their own, from 64 on.

    A run that is not analysed yet, or has newer checkpoints than its analysis, is
    analysed at depth update first; nothing is written beside it. Checkpoints of
    other trainers need --base for that.

    USAGE: \(gateUsage)

    ARGUMENTS:
      <file>                  An analysis file, a run folder, a packed run, a
                              folder of checkpoints, or one adapter folder.

    OPTIONS:
      --policy <file>         What may pass, as YAML (default: alerts fail, nothing
                              missing is accepted).
      --format <format>       How to say it (default: text). (values: text, json,
                              sarif, junit, github, markdown)
      --out <file>            Write the report to this file instead of standard
                              output.
      --base <dir>            For the analysis: the base model's folder (default:
                              the run's own).
      --initial <dir>         For the analysis: the adapter as it was at step 0,
                              where it is kept elsewhere.
      --method <method>       For the analysis: the method, where the files cannot
                              tell. (values: lora, rslora, pissa, milora,
                              lora-plus, lora-fa, rank1, svd)
      --schema                Print the JSON schema of --format json, and do
                              nothing else.
      --json                  The same as --format json.
      --quiet                 Print no progress, no notes and no text; errors,
                              other formats and --out remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let explain = """
    OVERVIEW: Explains findings: what they mean, why they are bad, and what to do.

    Takes codes or names, such as SP105 or alpha-is-zero; without one it lists all
    kinds of findings. What to do is said as of a run of which nothing is known.

    USAGE: \(explainUsage)

    ARGUMENTS:
      <code>                  Codes or names of findings; capitals do not matter.

    OPTIONS:
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """
}
