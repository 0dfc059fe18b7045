/// The help texts of the commands that work on other trainers' runs, as they are printed where the terminal's width is unknown (80 columns).
enum WatchHelpText {
  static let watch = """
    OVERVIEW: Follows the folder in which a trainer writes its checkpoints, and
    alerts.

    Each checkpoint is measured once, as soon as it is complete: when the trainer
    has written what it writes last (trainer_state.json; verl's
    latest_checkpointed_iteration.txt), or when it has been left alone for
    --settling seconds. What was measured stays when the trainer deletes the
    folder. The state, with an analysis that other commands read (analysis.h5), is
    kept in .spectroscope of the folder; the same command goes on with it.

    An alert is a finding that fails under --policy; each rule alerts once. The
    commands, files and addresses below are told of it; one that fails is told
    again at the next look, and never holds up the others. Updates are measured
    against the base at depth geometry as soon as its spectral basis is there
    (`spectroscope basis`), and until then at depth update.

    With --once it looks once, and ends with the gate's exit code: 0 healthy, 1
    alert, 2 inconclusive or nothing to judge yet. Otherwise it goes on until it is
    interrupted, which is its usual end, with code 0.

    USAGE: spectroscope watch [<options>] <dir> --base <dir>

    ARGUMENTS:
      <dir>                   The folder in which the trainer writes.

    ALERTS:
      --stop-file <file>      A file that appears with the first alert, for a
                              trainer that looks for it.
      --openmetrics <file>    A file that is kept up to date in the text format of
                              OpenMetrics.
      --on-alert <command>    A command that a shell runs for each alert, with
                              SPECTROSCOPE_CODE, _STEP, _MESSAGE, _REMEDY and _RUN
                              in its environment; it has a minute.
      --webhook <url>         An address that each alert is posted to as JSON; also
                              by SPECTROSCOPE_WEBHOOK in the environment, which no
                              list of processes shows.
      --webhook-format <webhook-format>
                              What is posted (default: by the address, slack,
                              discord, or json for any other). (values: slack,
                              discord, json)

    OPTIONS:
      --base <dir>            The base model's folder.
      --initial <dir>         The adapter as it was at step 0, where it is kept
                              elsewhere.
      --method <method>       The method, where the files cannot tell. (values:
                              lora, rslora, pissa, milora, lora-plus, lora-fa,
                              rank1, svd)
      --basis <dir>           The folder that keeps the base's spectral basis
                              (default: a cache folder).
      --state <dir>           The folder for the state (default: .spectroscope in
                              <dir>).
      --policy <file>         What may pass, as YAML (default: alerts fail).
      --interval <s>          Seconds from one look to the next. (default: 10.0)
      --settling <s>          Seconds for which a checkpoint without a mark of its
                              end must have been left alone. (default: 30.0)
      --jobs <n>              How many modules to measure at once (default: the
                              number of cores).
      --once                  Look once, and end with the gate's exit code.
      --quiet                 Print no notes; alerts and errors remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let integrate = """
    OVERVIEW: Prints what plugs the program into a trainer or a cluster.

    transformers: a Python file with a callback for the Hugging Face Trainer and
    TRL, which needs nothing but what they need. Save it beside the training
    script:

      spectroscope integrate transformers --out spectroscope_callback.py

    verl, openrlhf: the few lines that make their training loops obey the stop file
    of `spectroscope watch --stop-file`, and where they go.

    slurm: a script for sbatch that analyses a run in the tasks of a job array and
    joins what they found. Edit its first lines:

      spectroscope integrate slurm --out analyze.sbatch

    USAGE: spectroscope integrate <host> [--out <file>] [--quiet]

    ARGUMENTS:
      <host>                  The trainer or cluster. (values: transformers, verl,
                              openrlhf, slurm)

    OPTIONS:
      --out <file>            Write to this file instead of standard output.
      --quiet                 Print no notes.
      --version               Show the version.
      -h, --help              Show help information.
    """
}
