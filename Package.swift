// swift-tools-version:6.2
import PackageDescription

// Swift settings of every Swift target. Warnings are errors where `.ci/run` builds, so that a newer compiler's new
// warning never stops a user's build.
let settings: [SwiftSetting] =
  [.enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility")]
  + (Context.environment["SPECTROSCOPE_WARNINGS_AS_ERRORS"] == nil ? [] : [.treatAllWarnings(as: .error)])

let algorithms: Target.Dependency = .product(name: "RealModule", package: "swift-numerics")
let collections: Target.Dependency = .product(name: "OrderedCollections", package: "swift-collections")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")
let http: [Target.Dependency] = [
  .product(name: "FlyingFox", package: "FlyingFox"), .product(name: "FlyingSocks", package: "FlyingFox"),
]

func library(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.init(stringLiteral: name), "TestSupport"] + dependencies,
    swiftSettings: settings)
}

let package = Package(
  name: "spectroscope",
  products: [
    .executable(name: "spectroscope", targets: ["spectroscope"]),
    .executable(name: "spectroscope-benchmarks", targets: ["Benchmarks"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    // MARK: C libraries
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CLAPACKE", pkgConfig: "lapacke", providers: [.apt(["liblapacke-dev"])]),
    .target(name: "CKernels"),
    .target(name: "CBase", exclude: ["model"]),

    // MARK: Libraries, each importing only those above it
    library("LinearAlgebra", ["COpenBLAS", "CLAPACKE", "CKernels", algorithms]),
    library("Weights", ["LinearAlgebra", "CKernels", collections]),
    library("Adapters", ["Weights", "LinearAlgebra", collections]),
    library("Spectra", ["LinearAlgebra"]),
    library("Diagnosis", ["Adapters", "Spectra"]),
    library("Training", ["Adapters", "Weights", "LinearAlgebra", "CKernels", "CBase", algorithms, collections]),
    library("RunStore", ["CHDF5", "Training", "Adapters", "Weights", "Spectra", "Diagnosis", collections, yaml]),
    library(
      "Measurement", ["RunStore", "Diagnosis", "Spectra", "Adapters", "Weights", "LinearAlgebra", collections, logging]),
    library(
      "Reporting", ["RunStore", "Diagnosis", "Spectra", "Adapters", "Weights", "LinearAlgebra", collections],
      resources: [
        .embedInCode("Gate/gate.schema.json"), .embedInCode("Report/Page/report.html"),
        .embedInCode("Report/Page/report.css"), .embedInCode("Report/Page/decode.js"),
        .embedInCode("Report/Page/scales.js"), .embedInCode("Report/Page/charts.js"),
        .embedInCode("Report/Page/behaviour.js"), .embedInCode("Report/Page/heatmap.js"),
        .embedInCode("Report/Page/module.js"), .embedInCode("Report/Page/comparison.js"),
        .embedInCode("Report/Page/page.js"), .embedInCode("Report/Page/live.js"),
      ]),
    library("Assessment", ["RunStore", "Diagnosis", "Spectra", "Weights", collections]),
    .executableTarget(
      name: "spectroscope",
      dependencies: [
        "Assessment", "Reporting", "Measurement", "RunStore", "Training", "Diagnosis", "Spectra", "Adapters", "Weights",
        "LinearAlgebra", arguments, collections, logging,
      ] + http,
      path: "Sources/CommandLine",
      resources: [
        .embedInCode("Integrations/spectroscope_callback.py"), .embedInCode("Integrations/verl.md"),
        .embedInCode("Integrations/openrlhf.md"), .embedInCode("Integrations/analyze.sbatch"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        "Reporting", "Measurement", "Training", "Spectra", "Adapters", "Weights", "LinearAlgebra", "COpenBLAS",
        "CLAPACKE",
        arguments, collections,
      ],
      exclude: ["peers", "thresholds.json"], swiftSettings: settings),

    // MARK: Tests
    .target(
      name: "TestSupport",
      dependencies: [
        "RunStore", "Diagnosis", "Training", "Spectra", "Adapters", "Weights", "LinearAlgebra", collections,
      ],
      path: "Tests/TestSupport",
      swiftSettings: settings),
    tests(of: "LinearAlgebra", [algorithms]),
    tests(of: "Weights", [collections]),
    tests(of: "Adapters", ["Weights", "LinearAlgebra", collections]),
    tests(of: "Spectra", ["LinearAlgebra"]),
    tests(of: "Diagnosis", ["Spectra", "LinearAlgebra"]),
    tests(of: "Training", ["Spectra", "Adapters", "Weights", "LinearAlgebra", collections]),
    tests(of: "RunStore", ["Training", "Adapters", "Spectra", "Diagnosis", "Weights", "LinearAlgebra", collections]),
    tests(
      of: "Measurement", ["RunStore", "Diagnosis", "Spectra", "Adapters", "Weights", "LinearAlgebra", collections]),
    tests(
      of: "Reporting", ["RunStore", "Diagnosis", "Spectra", "Adapters", "Weights", "LinearAlgebra", collections]),
    tests(of: "Assessment", ["Diagnosis", "RunStore", collections]),
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "spectroscope", "Benchmarks", "TestSupport", "LinearAlgebra", "RunStore", "Diagnosis", "Spectra", "Adapters",
        "Weights",
        collections,
      ],
      swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
