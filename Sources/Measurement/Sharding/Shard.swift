/// One of several processes, perhaps on several machines, that share independent units of work.
package struct Shard: Hashable, Sendable, CustomStringConvertible {
  /// Counted from 0.
  package let index: Int
  /// How many there are.
  package let count: Int

  /// More than there are machines.
  private static let most = 1_000_000

  package var description: String { "\(index)/\(count)" }

  /// - Throws: `ShardError` unless 0 ≤ `index` < `count`.
  package init(index: Int, count: Int) throws(ShardError) {
    guard count > 0, (0..<count).contains(index) else {
      throw ShardError(
        "expected i/n with i from 0 to n - 1, found \(index)/\(count)"
          + (index == count && count > 0 ? "; the last of \(count) is \(count - 1)/\(count)" : ""))
    }
    guard count <= Self.most else {
      throw ShardError("expected at most \(Self.most) shards, found \(index)/\(count)")
    }
    (self.index, self.count) = (index, count)
  }

  /// A shard as the command line names it: `i/n`.
  package init(_ text: String) throws(ShardError) {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let index = numbers[0], let count = numbers[1] else {
      throw ShardError("expected i/n with i from 0 to n - 1, such as 0/8, or auto")
    }
    try self.init(index: index, count: count)
  }
}

/// Why a text or an environment names no shard.
package struct ShardError: Error, Equatable {
  package var message: String

  init(_ message: String) { self.message = message }
}

// MARK: - Slurm

extension Shard {
  /// The shard that Slurm's variables name: the task of a job array, else the task of a job.
  ///
  /// - Throws: `ShardError` where they name none.
  package init(slurm environment: [String: String]) throws(ShardError) {
    func number(_ name: String, default value: Int? = nil) throws(ShardError) -> Int {
      guard let text = environment[name] else {
        if let value { return value }
        throw ShardError("auto: expected Slurm's \(name) in the environment, found none; say --shard i/n")
      }
      guard let number = Int(text) else {
        throw ShardError("auto: expected \(name) to be a whole number, found '\(text)'; say --shard i/n")
      }
      return number
    }
    if environment["SLURM_ARRAY_TASK_ID"] != nil {
      let step = try number("SLURM_ARRAY_TASK_STEP", default: 1)
      let first = try number("SLURM_ARRAY_TASK_MIN")
      let distance = try number("SLURM_ARRAY_TASK_ID") - first
      let count = try number("SLURM_ARRAY_TASK_COUNT")
      guard count > 1 || first == 0 else {
        throw ShardError("auto: expected a job array, found one task of another array submitted again; say --shard i/n")
      }
      guard step > 0, distance.isMultiple(of: step), (0..<max(1, count)).contains(distance / step),
        try number("SLURM_ARRAY_TASK_MAX") - first == (count - 1) * step
      else {
        throw ShardError("auto: expected a job array of evenly spaced numbers, such as 0-7; say --shard i/n")
      }
      try self.init(index: distance / step, count: count)
    } else if environment["SLURM_PROCID"] != nil {
      try self.init(index: number("SLURM_PROCID"), count: number("SLURM_NTASKS"))
    } else {
      throw ShardError(
        "auto: expected SLURM_ARRAY_TASK_ID with _MIN, _MAX, _STEP and _COUNT, or SLURM_PROCID and SLURM_NTASKS in the environment, "
          + "found neither; outside Slurm say --shard i/n")
    }
  }
}

// MARK: - Dividing

extension Shard {
  /// Divides items among shards: disjoint, all of them, and about equally costly.
  ///
  /// The costliest first, each to the shard with the least so far; equal input gives equal parts on every machine. Items keep their order.
  package static func parts<Item>(of items: [Item], among count: Int, cost: (Item) -> Double) -> [[Item]] {
    let costs = items.map(cost)
    let order = items.indices.sorted { (-costs[$0], $0) < (-costs[$1], $1) }
    var loads = Array(repeating: (cost: 0.0, items: [Int]()), count: count)
    for item in order {
      // Of shards with equal costs the one with fewer items, so that what costs nothing is spread as well.
      let least = loads.indices.min {
        (loads[$0].cost, loads[$0].items.count, $0) < (loads[$1].cost, loads[$1].items.count, $1)
      }!
      loads[least].cost += costs[item]
      loads[least].items.append(item)
    }
    return loads.map { $0.items.sorted().map { items[$0] } }
  }

  /// This shard's part.
  package func part<Item>(of items: [Item], cost: (Item) -> Double) -> [Item] {
    Self.parts(of: items, among: count, cost: cost)[index]
  }
}
