// swift-tools-version: 6.2
import PackageDescription

/// One list for every target of ours: warnings are errors, and functions may return spans.
let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
]

/// The codecs and the reactor mark each unsafe expression (`tools/tidy` keeps the ledger).
let strict = settings + [.strictMemorySafety()]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
    name: "apus",
    products: [
        .library(name: "ApusWire", targets: ["ApusWire"]),
        .library(name: "ApusServer", targets: ["ApusServer"]),
        .library(name: "ApusClient", targets: ["ApusClient"]),
        .executable(name: "apus", targets: ["apus"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CURing", path: "CShims/CURing", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),

        .target(name: "ApusWire", swiftSettings: strict),
        .target(name: "ApusReactor", dependencies: ["CURing"], swiftSettings: strict),
        .target(name: "ApusServer", dependencies: ["ApusReactor", "ApusWire"], swiftSettings: settings),
        .target(name: "ApusClient", dependencies: ["ApusReactor", "ApusWire"], swiftSettings: settings),
        .target(name: "ApusLoad", dependencies: ["ApusReactor", "ApusWire", histogram], swiftSettings: settings),
        .executableTarget(
            name: "apus",
            dependencies: ["ApusServer", "ApusClient", "ApusLoad", argumentParser],
            swiftSettings: settings
        ),

        .executableTarget(
            name: "apus-micro",
            dependencies: ["ApusServer", "ApusReactor", "ApusWire"],
            path: "Benchmarks/apus-micro",
            swiftSettings: settings
        ),

        .target(
            name: "TestSupport",
            dependencies: ["ApusReactor", "ApusWire"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .testTarget(
            name: "ApusWireTests",
            dependencies: ["ApusWire", "TestSupport"],
            resources: [.copy("Vectors")],
            swiftSettings: settings
        ),
        .testTarget(name: "ApusReactorTests", dependencies: ["ApusReactor", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ApusServerTests",
            dependencies: ["ApusServer", "ApusClient", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(name: "SimulationTests", dependencies: ["ApusServer", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ApusLoadTests",
            dependencies: ["ApusLoad", "ApusServer", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(name: "apusTests", dependencies: ["ApusServer", "TestSupport"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
