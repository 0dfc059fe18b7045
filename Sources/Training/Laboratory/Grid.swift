/// One dimension of a grid of runs: values that each change a configuration.
package struct GridAxis: Sendable {
  struct Value: Sendable {
    let name: String
    let set: @Sendable (inout TrainingConfiguration) -> Void
  }

  let values: [Value]

  /// - Parameter elements: the values; an axis without any leaves the configuration as it is.
  /// - Parameter isNamed: whether a value adds to the name of a run's folder.
  package init<Element: Sendable>(
    _ elements: [Element], isNamed: Bool = true, name: (Element) -> String,
    set: @escaping @Sendable (inout TrainingConfiguration, Element) -> Void
  ) {
    let named = elements.map { element in
      Value(name: isNamed ? name(element) : "") { set(&$0, element) }
    }
    values = named.isEmpty ? [Value(name: "") { _ in }] : named
  }
}

/// All combinations of the values of some axes, the last one varying fastest.
package struct Grid: Sendable {
  /// One run, and the name of its folder.
  package struct Run: Sendable {
    package var name: String
    package var configuration: TrainingConfiguration

    package init(name: String, configuration: TrainingConfiguration) {
      self.name = name
      self.configuration = configuration
    }
  }

  package let runs: [Run]

  package init(runs: [Run]) { self.runs = runs }

  /// The runs of several grids, with the name of its grid before that of each.
  package init(joining grids: [(name: String, grid: Grid)]) {
    runs = grids.flatMap { name, grid in
      grid.runs.map { Run(name: name + "/" + $0.name, configuration: $0.configuration) }
    }
  }

  /// - Parameter configuration: what all runs have in common.
  package init(_ axes: [GridAxis], over configuration: TrainingConfiguration) {
    runs = axes.reduce([Run(name: "", configuration: configuration)]) { runs, axis in
      runs.flatMap { run in
        axis.values.map { value in
          var run = run
          value.set(&run.configuration)
          run.name += value.name
          return run
        }
      }
    }
  }
}
