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
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let toml = Target.Dependency.product(name: "TOMLKit", package: "TOMLKit")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
    name: "apus",
    products: [
        .library(name: "ApusWire", targets: ["ApusWire"]),
        .library(name: "ApusSecurity", targets: ["ApusSecurity"]),
        .library(name: "ApusCompression", targets: ["ApusCompression"]),
        .library(name: "ApusLogging", targets: ["ApusLogging"]),
        .library(name: "ApusConfiguration", targets: ["ApusConfiguration"]),
        .library(name: "ApusServer", targets: ["ApusServer"]),
        .library(name: "ApusClient", targets: ["ApusClient"]),
        .executable(name: "apus", targets: ["apus"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CURing", path: "CShims/CURing", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
        .systemLibrary(
            name: "COpenSSL", path: "CShims/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CCompression", path: "CShims/CCompression", pkgConfig: "libzstd",
            providers: [.apt(["liblz4-dev", "libzstd-dev"])]),

        .target(name: "ApusWire", swiftSettings: strict),
        .target(name: "ApusReactor", dependencies: ["CURing"], swiftSettings: strict),
        .target(name: "ApusSecurity", dependencies: ["COpenSSL", "ApusWire"], swiftSettings: strict),
        .target(name: "ApusCompression", dependencies: ["CCompression", "ApusWire"], swiftSettings: strict),
        .target(name: "ApusRelay", dependencies: ["ApusWire"], swiftSettings: strict),
        .target(name: "ApusLogging", dependencies: [logging], swiftSettings: settings),
        .target(
            name: "ApusServer",
            dependencies: ["ApusReactor", "ApusSecurity", "ApusCompression", "ApusRelay", "ApusWire"],
            swiftSettings: settings
        ),
        .target(
            name: "ApusClient",
            dependencies: ["ApusReactor", "ApusSecurity", "ApusCompression", "ApusWire"],
            swiftSettings: settings
        ),
        .target(
            name: "ApusLoad",
            dependencies: ["ApusReactor", "ApusSecurity", "ApusWire", histogram],
            swiftSettings: settings
        ),
        .target(name: "ApusOperations", dependencies: ["ApusReactor"], swiftSettings: settings),
        .target(name: "ApusConfiguration", dependencies: ["ApusSecurity", "ApusWire", toml], swiftSettings: settings),
        .executableTarget(
            name: "apus",
            dependencies: [
                "ApusServer", "ApusClient", "ApusLoad", "ApusOperations", "ApusConfiguration", "ApusLogging",
                "ApusSecurity", "ApusCompression", argumentParser, logging,
            ],
            swiftSettings: settings
        ),

        .executableTarget(
            name: "apus-micro",
            dependencies: ["ApusServer", "ApusReactor", "ApusWire"],
            path: "Benchmarks/apus-micro",
            swiftSettings: settings
        ),

        .executableTarget(
            name: "apus-admin-rig",
            dependencies: ["ApusServer", "TestSupport"],
            path: "Tests/Admin/Rig",
            swiftSettings: settings
        ),

        .executableTarget(
            name: "apus-websocket-echo",
            dependencies: ["ApusSecurity", "ApusWire"],
            path: "Tests/WebSocket/Echo",
            swiftSettings: settings
        ),

        .target(
            name: "TestSupport",
            dependencies: ["ApusReactor", "ApusSecurity", "ApusWire"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .testTarget(
            name: "ApusWireTests",
            dependencies: ["ApusWire", "TestSupport"],
            resources: [.copy("Vectors")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ApusSecurityTests",
            dependencies: ["ApusSecurity", "TestSupport"],
            resources: [.copy("Vectors")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ApusRelayTests", dependencies: ["ApusRelay", "ApusWire", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ApusCompressionTests",
            dependencies: ["ApusCompression", "TestSupport"],
            resources: [.copy("Vectors")],
            swiftSettings: settings
        ),
        .target(
            name: "ConfigurationSamples", dependencies: ["ApusConfiguration"], path: "Tests/ConfigurationSamples",
            swiftSettings: settings),
        .testTarget(
            name: "ApusConfigurationTests", dependencies: ["ApusConfiguration", "ConfigurationSamples", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "ApusReactorTests", dependencies: ["ApusReactor", "CURing", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ApusServerTests",
            dependencies: ["ApusServer", "ApusClient", "ApusSecurity", "ApusCompression", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ApusLoggingTests", dependencies: ["ApusLogging", "TestSupport", logging], swiftSettings: settings),
        .testTarget(name: "SimulationTests", dependencies: ["ApusServer", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ApusLoadTests",
            dependencies: ["ApusLoad", "ApusServer", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ApusOperationsTests",
            dependencies: ["ApusOperations", "ApusReactor", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "apusTests",
            dependencies: [
                "apus", "ApusClient", "ApusConfiguration", "ApusLogging", "ApusReactor", "ApusSecurity",
                "ApusServer", "ApusWire", "ConfigurationSamples", "TestSupport", logging,
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
