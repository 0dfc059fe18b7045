import Diagnosis
import Adapters
import Weights

/// What is known of a method's first steps, its start and its reload, each note with what it rests on.
struct PlanNotes {
  let plan: RunPlan
  let options: ResolvedAdapterOptions
  let isHalf: Bool

  /// In the order in which they are to be read: sizes, what runs have shown, traps.
  var all: [PlanNote] { sizes + ofMethod + dropout }

  private static let laboratory = "notebooks-data/laboratory/README.md"
  private static let paper = "arXiv 2512.23165"

  private func law(_ topic: String, _ message: String) -> PlanNote { PlanNote(.law, topic, message) }

  private func measurement(_ topic: String, _ message: String, tables: String = "table B") -> PlanNote {
    PlanNote(.measurement, topic, message, source: "\(Self.laboratory), \(tables)")
  }

  private func report(_ topic: String, _ message: String, _ source: String) -> PlanNote {
    PlanNote(.report, topic, message, source: source)
  }
}

// MARK: - Sizes

extension PlanNotes {
  private var sizes: [PlanNote] {
    var notes = [
      law(
        "ratio",
        "at the same rate a first step goes \(plan.ratio.brief) times as far as LoRA's: Adam moves every trained number by about the rate, "
          + "so that ‖δW‖ is about the rate times the Frobenius norm of the Jacobian")
    ]
    if let matching = plan.matchingRate, let rate = plan.learningRate {
      notes.append(
        law("matching_rate", "at the rate \(matching.brief) it goes as far as LoRA's at \(RunPlan.given(rate))"))
    }
    if let steps = plan.stepsBeyondMerging {
      notes.append(
        law(
          "merging",
          "a merge into bf16 loses \(FloatFormat.bfloat16.rmsRounding.brief) of ‖W₀‖; the update outgrows that after \(steps.least) "
            + "step\(steps.least == 1 ? "" : "s") if all go one way, after \(steps.most) if each goes its own"))
    }
    return notes
  }

  private var dropout: [PlanNote] {
    guard options.options.dropout > 0 else { return [] }
    guard plan.method.subtractsStart else {
      return [
        law("dropout", "dropout makes the trainer's log-probabilities differ from those of rollouts, which know none")
      ]
    }
    return [
      law(
        "dropout",
        "dropout acts on all of s·B·A, which holds a part of W₀: with \(RunPlan.given(options.options.dropout)) the model that is trained is not the "
          + "base even at step 0. Leave it at 0"),
      report(
        "dropout", "the published recipe sets 0.05, and a comment in it says that it should be 0",
        "\(Self.paper), its repository at a5ec6c3"),
    ]
  }
}

// MARK: - Methods

extension PlanNotes {
  private var ofMethod: [PlanNote] {
    switch plan.method {
    case .lora: lora
    case .rslora: rslora
    case .loraPlus: loraPlus
    case .rank1: rank1
    case .dora: dora
    case .adalora: adalora
    case .pissa: pissa + residualBase
    case .milora: milora + residualBase
    case .svd: residualBase
    case .miss: miss
    case .vera: vera
    case .ia3: ia3
    case .lnTuning: norms
    case .full: full
    case .loraFA, .loha, .lokr: []
    }
  }

  private var lora: [PlanNote] {
    [
      measurement(
        "critical_rate",
        "LoRA collapses from 0.013 on in two models of 94 thousand parameters, from 0.006 on in one eight times as large: these rates do not "
          + "carry over, their ratios between methods nearly do", tables: "tables B and D")
    ]
  }

  private var rslora: [PlanNote] {
    [
      law("scaling", "s = α/√r makes every step √r = \(Double(options.rank).squareRoot().brief) times LoRA's"),
      measurement("critical_rate", "its critical rate is 0.53 and 0.52 of LoRA's at rank 4"),
    ]
  }

  private var loraPlus: [PlanNote] {
    let ratio = RunPlan.given(options.options.rateRatio)
    return [
      law("optimiser", "B alone moves the weight at first, and B learns \(ratio) times as fast: the rate is A's"),
      measurement("critical_rate", "its critical rate is 0.12 of LoRA's with a ratio of 16"),
      report("optimiser", "nothing in the files tells it from LoRA; keep the ratio with the run", "arXiv 2402.12354"),
    ]
  }

  private var rank1: [PlanNote] {
    [measurement("critical_rate", "its critical rate is 1.8 times that of LoRA of rank 4 with the same s")]
  }

  private var dora: [PlanNote] {
    let start = report(
      "start",
      "over a base in 16 bits PEFT computes the magnitudes in 16 bits, so that W_eff(0) is off by about 1e-3 of ‖W₀‖: keep the adapter of "
        + "step 0", "PEFT 0.21.2")
    let notes = [
      law(
        "start",
        "its magnitudes move every row along W₀: by construction a part of the update is aligned with the leading directions, which is no "
          + "finding"),
      measurement(
        "critical_rate", "its critical rate is 0.94 and 0.92 of LoRA's, 0.85 in the larger model",
        tables: "tables B and D"),
    ]
    return isHalf ? notes + [start] : notes
  }

  private var adalora: [PlanNote] {
    [
      law(
        "start",
        "E = 0 and factors with a deviation of 0.02: it starts \((1 / plan.ratio).brief) times slower than LoRA. Steps grow as E does, so a "
          + "rate that matches the first of them is no rate to train at"),
      measurement(
        "critical_rate", "its critical rate is 4.1 times LoRA's, its best one 0.02 against LoRA's 0.003"),
      report(
        "allocator",
        "ranks are cut only where the trainer calls update_and_allocate behind every step, which Hugging Face's Trainer and TRL do not; "
          + "otherwise all keep init_r", "PEFT 0.21.2"),
    ]
  }

  private var pissa: [PlanNote] {
    var notes = [
      measurement(
        "direction",
        "matching the size alone leaves a deficit: at 3e-3 its first steps are as large as LoRA's at 7e-3, and it ends at 0.12 (0.45 on the second "
          + "base) where LoRA ends between 0.91 at 5e-3 and 0.77 at 1e-2 (0.94 and 0.79). With its singular values random directions bear 2 to "
          + "3 times its rate, the trailing ones 3 to 6 times", tables: "tables A and C"),
      measurement(
        "critical_rate", "its critical rate is 0.13 and 0.22 of LoRA's, 0.19 in the larger model",
        tables: "tables B and D"),
      measurement(
        "window",
        "at 5e-3 all ten runs end below 0.01 where LoRA's end above 0.89; below its own critical rate it is healthy and faster, 0.88 against "
          + "0.71 at 3e-4", tables: "table A"),
      report("claim", "published averages are 0.2 for it and 42.5 for LoRA, both at a rate of 1e-5", Self.paper),
    ]
    notes.append(
      options.options.pissaIterations.map { count in
        report(
          "reload",
          "pissa_niter_\(count) draws its start at random: a reload onto the original base draws another one and is another model. Keep the "
            + "adapter of step 0, without which W₀ − s·B₀·A₀ cannot be had again", "PEFT 0.21.2")
      }
        ?? report(
          "reload",
          "PEFT decomposes the base anew on every reload, and onto another base or by another LAPACK finds another start. Keep the adapter of "
            + "step 0, and rule a reload out before a collapse is believed", "PEFT 0.21.2"))
    return notes
  }

  private var milora: [PlanNote] {
    [
      law(
        "start",
        "its factors are small: a few steps outgrow them, and then steps are larger, so that the matching rate holds for the first "
          + "ones alone"),
      measurement(
        "critical_rate",
        "its critical rate is LoRA's, 1.01 times on two bases and 1.03 in the larger model: do not raise the rate to the matching one",
        tables: "tables B and D"),
      report(
        "claim", "published averages are 18.0 for it and 42.5 for LoRA, both at a rate of 1e-5: not reproduced here",
        Self.paper),
      report(
        "reload",
        "PEFT has no init flag for it: its files are those of LoRA, and a reload onto the original base counts the minor components twice. Keep "
          + "the residual base or the adapter of step 0", "PEFT 0.21.2"),
    ]
  }

  /// Of all that move a part of W₀ into the factors.
  private var residualBase: [PlanNote] {
    let rounding = FloatFormat.bfloat16.rmsRounding
    let beside = plan.learningRate.map { rate in
      ", as much as \((rounding / (rate * plan.total.unitStep)).brief) first steps"
    }
    return [
      law(
        "residual",
        "the base is W₀ − s·B₀·A₀; stored in bf16\(isHalf ? "" : ", which this one is not,") it is off by about "
          + "\(rounding.brief) of ‖W₀‖ before anything is trained\(beside ?? "")"),
      law(
        "reference",
        "with its adapters disabled the model is the residual base, which is no reference for a KL term: load the original one for that"
      ),
    ]
  }

  private var miss: [PlanNote] {
    [
      law("scaling", "it has no α, and its steps do not depend on the rank: every entry of W moves by the rate"),
      measurement(
        "critical_rate", "its critical rate is 0.28 and 0.27 of LoRA's at rank 4, 0.28 in the larger model",
        tables: "tables B and D"),
      report(
        "scaling", "α and scaling of a LoRA script are ignored, and the rank is 64 unless it is said", "PEFT 0.21.2"),
    ]
  }

  private var vera: [PlanNote] {
    [
      measurement(
        "best_rate",
        "it wants a higher rate: the best one is 0.02, against LoRA's 0.003, and none up to 0.1 makes it collapse"),
      report(
        "reload", "without save_projection=True its projections are not in the files, and the update cannot be known",
        "PEFT 0.21.2"),
    ]
  }

  private var ia3: [PlanNote] {
    [
      measurement(
        "best_rate",
        "it wants a higher rate: the best one is 0.03, against LoRA's 0.003, and none up to 0.1 makes it collapse"),
      law("start", "its update is diag(l)·W₀: aligned with W₀ by construction, which is no finding"),
      report("claim", "published averages are 22.3 for it and 42.5 for LoRA, both at a rate of 1e-5", Self.paper),
    ]
  }

  private var norms: [PlanNote] {
    [
      measurement(
        "best_rate", "it wants a higher rate and gains little: the best ones are 0.01 and 0.03, against LoRA's 0.003"),
      law(
        "start", "its gains act through every layer behind a norm; norms behind which there is none are left out here"),
    ]
  }

  private var full: [PlanNote] {
    [
      law("scaling", "every entry of W moves by the rate, whatever LoRA's rank and α are"),
      measurement(
        "critical_rate",
        "its critical rate is 0.12 and 0.11 of LoRA's, 0.06 in the larger model: about ten times below LoRA, as is usual",
        tables: "tables B and D"),
    ]
  }
}
