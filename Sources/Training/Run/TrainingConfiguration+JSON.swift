import Adapters
import OrderedCollections
import Weights

// The names of a run's record: those of the command line, with _ for -.

extension TrainingConfiguration {
  /// One member of the configuration, as JSON.
  private struct Field: Sendable {
    let name: String
    let get: @Sendable (TrainingConfiguration) -> JSONValue
    /// False where the value is of another kind.
    let set: @Sendable (inout TrainingConfiguration, JSONValue) -> Bool
  }

  private static let fields: [Field] = [
    text("base", \.base),
    Field(
      name: "method", get: { .string($0.method.rawValue) },
      set: { configuration, value in
        guard let method = value.string.flatMap(AdapterMethod.init), method.trained != nil else { return false }
        configuration.method = method
        return true
      }),
    // What the method's defaults come to is recorded, so that a run says all by itself.
    Field(
      name: "rank", get: { $0.isRanked ? .integer($0.resolvedAdapter.rank) : .null },
      set: { assign($1.isNull ? .some(nil) : $1.int.map { .some($0) }, to: \.adapter.rank, of: &$0) }),
    Field(
      name: "alpha", get: { $0.hasScaling ? .number($0.resolvedAdapter.alpha) : .null },
      set: { assign($1.isNull ? .some(nil) : $1.double.map { .some($0) }, to: \.adapter.alpha, of: &$0) }),
    Field(
      name: "rank_pattern", get: { .object($0.adapter.rankPattern.mapValues(JSONValue.integer)) },
      set: { assign(pattern($1) { $0.int }, to: \.adapter.rankPattern, of: &$0) }),
    Field(
      name: "alpha_pattern", get: { .object($0.adapter.alphaPattern.mapValues(JSONValue.number)) },
      set: { assign(pattern($1) { $0.double }, to: \.adapter.alphaPattern, of: &$0) }),
    number("dropout", \.adapter.dropout),
    optional("pissa_iterations", \.adapter.pissaIterations),
    number("lora_plus_ratio", \.adapter.rateRatio),
    optional("adalora_initial_rank", \.adapter.adalora.initialRank),
    bool("adalora_allocates", \.adapter.adalora.allocates),
    integer("adalora_initial_steps", \.adapter.adalora.initialSteps),
    integer("adalora_final_steps", \.adapter.adalora.finalSteps),
    integer("adalora_interval", \.adapter.adalora.interval),
    number("adalora_orthogonality", \.adapter.adalora.orthogonality),
    number("vera_initial", \.adapter.veraInitial),
    choice("directions", \.adapter.directions),
    choice("magnitudes", \.adapter.magnitudes),
    Field(
      name: "targets", get: { $0.targets.map { .array($0.map(JSONValue.string)) } ?? .null },
      set: { configuration, value in
        let names = value.array?.compactMap(\.string)
        guard value.isNull || names?.count == value.array?.count && names != nil else { return false }
        configuration.targets = names
        return true
      }),
    number("learning_rate", \.learningRate),
    integer("warmup_steps", \.warmupSteps),
    integer("steps", \.steps),
    integer("seed", \.seed),
    text("task", \.task),
    Field(
      name: "task_sha256", get: { $0.taskSHA256.map(JSONValue.string) ?? .null },
      set: { assign($1.isNull ? .some(nil) : $1.string.map { .some($0) }, to: \.taskSHA256, of: &$0) }),
    ofFile(choice("verifier", \.questions.verifier.kind)),
    ofFile(number("tolerance", \.questions.verifier.tolerance)),
    ofFile(number("test_share", \.questions.testShare)),
    choice("objective", \.objective),
    integer("prompts", \.prompts),
    integer("group_size", \.groupSize),
    integer("updates_per_rollout", \.updatesPerRollout),
    number("temperature", \.temperature),
    // What the objective has, unless it is said otherwise.
    override("loss_aggregation", \.policyLoss.aggregation, \.overrides.aggregation),
    override("scale_rewards", \.policyLoss.rewardScale, \.overrides.rewardScale),
    override("clip_low", \.policyLoss.clipLow, \.overrides.clipLow),
    override("clip_high", \.policyLoss.clipHigh, \.overrides.clipHigh),
    override("kl_coefficient", \.policyLoss.klCoefficient, \.overrides.klCoefficient),
    override("overlong", \.overlong.handling, \.overrides.overlong),
    optional("overlong_cache", \.overrides.overlongCache),
    Field(
      name: "dynamic_sampling", get: { .bool($0.dynamicSampling.isOn) },
      set: { assign($1.bool.map { .some($0) }, to: \.overrides.dynamicSampling, of: &$0) }),
    Field(
      name: "most_sampling_rounds", get: { .integer($0.dynamicSampling.mostRounds) },
      set: { assign($1.int.map { .some($0) }, to: \.overrides.mostSamplingRounds, of: &$0) }),
    number("beta1", \.optimizer.beta1),
    number("beta2", \.optimizer.beta2),
    Field(
      name: "epsilon", get: { $0.optimizer.epsilon.map(JSONValue.number) ?? .null },
      set: { assign($1.isNull ? .some(nil) : $1.double.map { .some($0) }, to: \.optimizer.epsilon, of: &$0) }),
    number("weight_decay", \.optimizer.weightDecay),
    number("maximum_gradient_norm", \.maximumGradientNorm),
    integer("checkpoint_every", \.checkpointEvery),
    integer("held_out", \.heldOutCount),
    integer("retention", \.retentionCount),
    integer("zero_reward_patience", \.zeroRewardPatience),
    bool("measures_kl", \.telemetry.measuresKL),
    bool("measures_velocity", \.telemetry.measuresVelocity),
  ]

  private var isRanked: Bool { method.trained?.isRanked == true }
  private var hasScaling: Bool { method.trained?.scaling(resolvedAdapter) != nil }

  /// The configuration by the names above, for the run's record.
  package var json: JSONValue {
    .object(OrderedDictionary(uniqueKeysWithValues: Self.fields.map { ($0.name, $0.get(self)) }))
  }

  /// Takes what an object says from it, and leaves the rest as it is.
  ///
  /// - Throws: `ConfigurationError` for a name that is none, and for a value of another kind.
  package mutating func take(_ object: OrderedDictionary<String, JSONValue>) throws(ConfigurationError) {
    for (key, value) in object {
      guard let field = Self.fields.first(where: { $0.name == key }) else { throw .unknownName(key) }
      guard field.set(&self, value) else { throw .wrongValue(name: key, value: value.text()) }
    }
  }

  /// The names of what differs from another configuration, in their order.
  package func differences(from other: TrainingConfiguration) -> [String] {
    Self.fields.filter { $0.get(self) != $0.get(other) }.map(\.name)
  }
}

/// Why an object is no configuration.
package enum ConfigurationError: Error, Equatable, Sendable {
  case unknownName(String)
  case wrongValue(name: String, value: String)
}

// MARK: - Kinds of members

extension TrainingConfiguration {
  private typealias Path<Value> = any WritableKeyPath<TrainingConfiguration, Value> & Sendable

  /// Sets a member to a value that is one; false where it is nil.
  private static func assign<Value>(
    _ value: Value?, to path: Path<Value>, of configuration: inout TrainingConfiguration
  ) -> Bool {
    guard let value else { return false }
    configuration[keyPath: path] = value
    return true
  }

  /// A member that says something of files of questions; null where the task is built in.
  private static func ofFile(_ field: Field) -> Field {
    Field(
      name: field.name, get: { TaskRegistry.isFile($0.task) ? field.get($0) : .null },
      set: { $1.isNull || field.set(&$0, $1) })
  }

  private static func text(_ name: String, _ path: Path<String>) -> Field {
    Field(name: name, get: { .string($0[keyPath: path]) }, set: { assign($1.string, to: path, of: &$0) })
  }

  private static func integer(_ name: String, _ path: Path<Int>) -> Field {
    Field(name: name, get: { .integer($0[keyPath: path]) }, set: { assign($1.int, to: path, of: &$0) })
  }

  private static func number(_ name: String, _ path: Path<Double>) -> Field {
    Field(name: name, get: { .number($0[keyPath: path]) }, set: { assign($1.double, to: path, of: &$0) })
  }

  private static func bool(_ name: String, _ path: Path<Bool>) -> Field {
    Field(name: name, get: { .bool($0[keyPath: path]) }, set: { assign($1.bool, to: path, of: &$0) })
  }

  private static func optional(_ name: String, _ path: Path<Int?>) -> Field {
    Field(
      name: name, get: { $0[keyPath: path].map(JSONValue.integer) ?? .null },
      set: { assign($1.isNull ? .some(nil) : $1.int.map { .some($0) }, to: path, of: &$0) })
  }

  private static func choice<Value: RawRepresentable<String> & Sendable>(
    _ name: String, _ path: Path<Value>
  ) -> Field {
    Field(
      name: name, get: { .string($0[keyPath: path].rawValue) },
      set: { assign($1.string.flatMap(Value.init), to: path, of: &$0) })
  }

  private static func override(
    _ name: String, _ own: any KeyPath<TrainingConfiguration, Double> & Sendable, _ path: Path<Double?>
  ) -> Field {
    Field(
      name: name, get: { .number($0[keyPath: own]) },
      set: { assign($1.double.map { .some($0) }, to: path, of: &$0) })
  }

  private static func override<Value: RawRepresentable<String> & Sendable>(
    _ name: String, _ own: any KeyPath<TrainingConfiguration, Value> & Sendable, _ path: Path<Value?>
  ) -> Field {
    Field(
      name: name, get: { .string($0[keyPath: own].rawValue) },
      set: { assign($1.string.flatMap(Value.init).map { .some($0) }, to: path, of: &$0) })
  }

  private static func pattern<Value>(
    _ value: JSONValue, _ read: (JSONValue) -> Value?
  ) -> OrderedDictionary<String, Value>? {
    guard let object = value.object else { return nil }
    let values = object.compactMapValues(read)
    return values.count == object.count ? values : nil
  }
}
