/// The help texts of the commands that train, as they are printed where the terminal's width is unknown (80 columns).
enum TrainingHelpText {
  static let trainUsage = "spectroscope train <options>"
  static let labUsage = "spectroscope lab <options>"
  static let planUsage = "spectroscope plan <options>"
  static let demoUsage = "spectroscope demo [--out <dir>] [--threads <n>] [--quiet]"
  static let pretrainUsage = "spectroscope pretrain [<options>] --out <dir>"

  /// Groups of options that several commands take.
  private static let method = """
    METHOD:
      --method <method>       The method (default: lora). (values: lora, rslora,
                              lora-plus, lora-fa, dora, adalora, pissa, milora,
                              miss, vera, ia3, ln-tuning, rank1, full, svd)
      --rank <r>              Rank r of the update (default: 4; 64 for vera, 1 for
                              rank1). AdaLoRA has it on average at the end.
      --alpha <alpha>         α; the update is scaled by α/r, for rslora by α/√r
                              (default: 8.0, for rank1 2.0).
      --rank-pattern <pattern>
                              Ranks of layers of their own, by the ends of their
                              names, such as q_proj=8,down_proj=2.
      --alpha-pattern <pattern>
                              The same for α.
      --targets <names>       The layers to adapt, by the ends of their names, with
                              commas between them (default: all seven linear
                              layers; ia3 and ln-tuning: PEFT's choice).
      --dropout <p>           The share of the adapters' inputs that is set to zero
                              while gradients are taken (default: 0).
      --pissa-niter <k>       Start PiSSA from a randomised decomposition with so
                              many power iterations, as PEFT's pissa_niter_k
                              (default: an exact one).
      --lora-plus-ratio <ratio>
                              LoRA+: how many times as fast as A B learns (default:
                              16.0).
      --adalora-initial-rank <r>
                              AdaLoRA: the rank at the start (default: one and a
                              half times the rank).
      --adalora-fixed-rank    AdaLoRA: keep all ranks and leave the orthogonality
                              term out, as trainers do that know nothing of either.
      --adalora-initial-steps <n>
                              AdaLoRA: updates before ranks are cut (default: 0).
      --adalora-final-steps <n>
                              AdaLoRA: updates behind the last cut (default: 0).
      --adalora-interval <n>  AdaLoRA: updates between two cuts (default: 1).
      --adalora-orthogonality <w>
                              AdaLoRA: the weight of the orthogonality term in the
                              loss (default: 0.5).
      --vera-initial <d>      VeRA: what λ_d begins with (default: 0.1).
      --directions <directions>
                              svd: the singular directions of the base that the
                              factors begin in (default: top). (values: top,
                              middle, bottom, random)
      --magnitudes <magnitudes>
                              svd: the singular values that they begin with
                              (default: top). (values: top, middle, bottom, unit)
    """
  private static let training = """
    TRAINING:
      --learning-rate <rate>  The learning rate of AdamW, constant behind the
                              warm-up (default: 0.001).
      --warmup-steps <n>      Steps over which the learning rate rises (default: 0).
      --steps <n>             Training steps (default: 60).
      --seed <seed>           Seed of all random numbers (default: 0).
      --objective <objective> What is optimised (default: grpo). (values: grpo,
                              dapo, dr-grpo, sft)
      --loss-aggregation <divisor>
                              What the sum of the tokens' losses is divided by: the
                              number of tokens; token by token, the completion's
                              length and the number of completions; or completions
                              times the longest possible (default: token; dr-grpo:
                              constant). (values: token, sequence, constant)
      --scale-rewards <scale> The standard deviation that advantages are divided by
                              (default: group; dr-grpo: none). (values: group,
                              batch, none)
      --clip-low <epsilon>    The ratio to the old policy is clipped below 1 − this
                              (default: 0.2).
      --clip-high <epsilon>   The ratio is clipped above 1 + this (default: 0.28;
                              dr-grpo: 0.2).
      --kl-coefficient <beta> β of the KL penalty to the base (default: 0).
      --overlong <handling>   Completions that are too long: those that were cut
                              are kept out of the loss (filter), long ones are
                              worth less (soft), or neither (default: none; dapo:
                              filter). (values: none, filter, soft)
      --overlong-cache <n>    Over how many tokens below the longest possible the
                              soft penalty rises to 1 (default: a quarter of it).
      --dynamic-sampling/--no-dynamic-sampling
                              Replace groups that all pass or all fail by fresh
                              prompts (default: no; dapo: yes).
      --most-sampling-rounds <n>
                              How many times a step draws at most (default: 10).
      --prompts <n>           Prompts a step (default: 16).
      --group-size <n>        Completions a prompt (default: 8).
      --updates-per-rollout <n>
                              Optimiser steps on each rollout; clipping acts from
                              the second on (default: 1).
      --temperature <t>       Sampling temperature (default: 1.0).
      --weight-decay <w>      Weight decay of AdamW (default: 0.0).
      --checkpoint-every <n>  A checkpoint, with accuracy and retention, every so
                              many steps (default: 5).
      --zero-reward-patience <n>
                              End a run behind so many steps in a row without any
                              reward, which teach nothing; 0 for never (default: 0;
                              lab: 20).
    """

  private static let task = """
    TASK:
      --task <task>           The task: a built-in one, or the path of a file of
                              questions, which ends in .jsonl or has a slash: one
                              JSON object a line with question and answer (default:
                              two-step-arithmetic). (values: two-step-arithmetic,
                              string-operations, counting, counting:2, counting:3,
                              modular-sums, modular-sums:2, modular-sums:3,
                              sum-sequences, sum-sequences:2, sum-sequences:3)
      --verifier <verifier>   How responses are held against a file's answers;
                              exact unless it is said. (values: exact, integer,
                              numeric, boxed)
      --tolerance <t>         How far a number may lie from the answer, relative to
                              it beyond 1, with numeric and boxed (default: 1e-06).
      --test-share <share>    The share of a file's questions that are held out of
                              training, by their texts (default: 0.2).
    """

  static let plan = """
    OVERVIEW: Says before a run how large its first steps will be, against LoRA's,
    and what to look out for.

    Adam moves every trained number by about the learning rate, so the first steps
    of a method are as large as its Jacobian. Sizes are relative to the weights,
    per kind of layer; the LoRA beside them has the same rank and α. Every line
    says what it rests on: a law (algebra), a measurement
    (notebooks-data/laboratory), or a report (with its source).

    PiSSA, MiLoRA and svd need the singular values of the base, which come from its
    spectral basis (see basis).

    USAGE: \(planUsage)

    \(method)

    OPTIONS:
      --base <dir>            The base model's folder (default: the embedded base).
      --learning-rate <rate>  The learning rate (default: none; sizes are per unit
                              of it).
      --basis <dir>           The folder of the base's spectral basis (default: as
                              for analyze).
      --jobs <n>              How many weights to read at once (default: the number
                              of cores).
      --json                  Print one JSON object instead of text.
      --quiet                 Print no progress and no notes; errors and --json
                              output remain.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let demo = """
    OVERVIEW: Trains a healthy run and a collapsing one, and sets them side by
    side.

    Two runs on the base that is a part of this program, under reinforcement
    learning with verifiable rewards: the same problems, the same learning rate and
    seed, once with LoRA and once with PiSSA. Each is analysed and diagnosed, and
    report.html shows both. The run folders stay, and `spectroscope diagnose`,
    `compare`, `report` and `export` read them like any other.

    USAGE: \(demoUsage)

    OPTIONS:
      --out <dir>             The folder to write; earlier runs of the demo in it
                              are replaced. (default: demo)
      --threads <n>           How many threads to work with (default: the number of
                              cores). Results do not depend on it.
      --quiet                 Print no progress and no notes.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let train = """
    OVERVIEW: Fine-tunes a small base model with one method and writes a run
    folder.

    Group-relative policy optimisation with verifiable rewards (grpo, dapo,
    dr-grpo), or supervised learning of the task's responses (sft). The run folder
    holds the adapters at step 0 and at every checkpoint, and what each step
    measured: `spectroscope analyze` and `spectroscope export` read it. The same
    seed gives the same content on any number of threads. A run that was
    interrupted or killed goes on with --resume from its last checkpoint, and ends
    as if it never had been.

    With --gate the verdict is asked for after every update, before the next
    completions are drawn. Where it fails, the run stops with exit code 1; or, as
    the policy says, the update is refused, or the run goes back to its last
    healthy checkpoint and on at a lower learning rate. What was done, and what was
    undone, is kept in interventions.jsonl of the run folder.

    USAGE: \(trainUsage)

    \(method)

    \(task)

    \(training)

    OPTIONS:
      --out <dir>             The run folder to write; it must not hold a run yet,
                              but with --resume.
      --resume                Go on with the run in the folder, as it was begun;
                              begin it where there is none.
      --config <file>         A JSON file of options by their names, such as
                              {"method": "dora", "learning-rate": 0.003}; those of
                              the command line win.
      --base <dir>            The base's folder: a Hugging Face model of the Qwen2
                              or Llama family with one token a character (default:
                              the one that is a part of this program).
      --threads <n>           How many threads to work with (default: the number of
                              cores). Results do not depend on it.
      --gate [<file>]         Watch the run, and act as a policy says, a YAML file.
                              With --resume the run goes on under the one that it
                              was begun with. (default as flag: stop at an alert)
      --quiet                 Print no progress and no notes; what the gate does is
                              said.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let lab = """
    OVERVIEW: Trains a grid of runs and says which collapse, and at which learning
    rate.

    Every method at every learning rate with every seed, some runs at once, each in
    a run folder <method>-lr<rate>-seed<n>; several ranks add -rank<r> behind the
    method, several bases a folder each. summary.csv has a row a run, critical.csv
    the learning rate at which a method's accuracy falls through that of its start.
    The other options are those of train and hold for every run; so does a list
    that is not given.

    The same command goes on where it was interrupted: finished runs are kept,
    others go on, and a folder that holds another run is refused. Results do not
    depend on --jobs.

    With --shard several processes each make a part of the runs in the same folder,
    and no table; the command without makes what is missing then, and the tables.

    USAGE: \(labUsage)

    GRID:
      --methods <names>       Methods, with commas between them.
      --learning-rates <rates>
                              Learning rates.
      --seeds <numbers>       Seeds.
      --ranks <numbers>       Ranks.
      --svd-directions <names>
                              svd: which of --directions, as a list.
      --svd-magnitudes <names>
                              svd: which of --magnitudes, as a list.

    \(method)

    \(task)

    \(training)

    OPTIONS:
      --out <dir>             The folder to write.
      --config <file>         A JSON file of options by their names, such as
                              {"methods": ["lora", "dora"], "steps": 60}; those of
                              the command line win.
      --base <dir>            A base's folder, or embedded for the one that is a
                              part of this program (the default); may be given
                              several times.
      --jobs <n>              How many runs at once (default: the number of cores).
      --no-telemetry          Leave out of the records what takes time and the
                              labels do not need: KL divergence and velocities.
      --quiet                 Print no progress and no notes.
      --shard <i/n>           Do the i-th of n parts, counted from 0; several
                              processes and machines may each do one at the same
                              time. auto takes i and n from Slurm's job array or
                              tasks. Without it everything is done, also inside a
                              job array.
      --version               Show the version.
      -h, --help              Show help information.
    """

  static let pretrain = """
    OVERVIEW: Makes a small base model by supervised learning.

    A decoder of the Qwen2 family learns short string tasks, sums and products, and
    the task only by half, from which reinforcement learning can go on; or it
    learns the answers of a file of questions, with the characters of the file as
    its vocabulary. Writes a Hugging Face folder that transformers loads. With its
    defaults it makes the base that is a part of this program.

    USAGE: \(pretrainUsage)

    \(task)

    OPTIONS:
      --out <dir>             The folder to write.
      --steps <n>             Optimiser steps. (default: 3400)
      --batch-size <n>        Examples a step. (default: 256)
      --learning-rate <rate>  The largest learning rate, behind the warm-up.
                              (default: 0.003)
      --hidden-size <n>       Width of the model. (default: 64)
      --intermediate-size <n> Width of the feed-forward blocks. (default: 176)
      --layers <n>            Layers of the model. (default: 2)
      --heads <n>             Attention heads; their number divides the width.
                              (default: 4)
      --key-value-heads <n>   Key and value heads; their number divides that of the
                              heads. (default: 2)
      --seed <seed>           Seed of all random numbers. (default: 2)
      --threads <n>           How many threads to work with (default: the number of
                              cores). Results do not depend on it.
      --quiet                 Print no progress.
      --version               Show the version.
      -h, --help              Show help information.
    """
}
