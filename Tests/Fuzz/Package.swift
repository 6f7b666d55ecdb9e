// swift-tools-version: 6.2
import PackageDescription

/// Everything here is compiled with coverage counters and the address sanitizer, ApusWire too: `Sources/ApusWire` is a
/// link to the very sources of the main package, which must not carry unsafe flags itself.
let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library"]),
]

/// lld, for Debian 12's gold stops with an internal error on these objects.
let linking: [LinkerSetting] = [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]

let package = Package(
    name: "apus-fuzz",
    targets: [
        .systemLibrary(name: "CFuzzer"),
        .target(name: "FuzzSupport", dependencies: ["CFuzzer"], swiftSettings: settings),
        .systemLibrary(name: "CCompression", pkgConfig: "libzstd"),
        .target(name: "ApusCompression", dependencies: ["CCompression"], swiftSettings: settings),
        .target(name: "ApusWire", swiftSettings: settings),
        .target(name: "ApusRelay", dependencies: ["ApusWire"], swiftSettings: settings),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
        .target(name: "ApusSecurity", dependencies: ["COpenSSL", "ApusWire"], swiftSettings: settings),
        .executableTarget(
            name: "FuzzDecoder",
            dependencies: ["ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzMessage",
            dependencies: ["ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzHttp",
            dependencies: ["ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzFrames",
            dependencies: ["ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzUpgrade",
            dependencies: ["ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzResponse",
            dependencies: ["ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzProxy",
            dependencies: ["ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzRelay",
            dependencies: ["ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzAuth",
            dependencies: ["ApusSecurity", "ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzBacklog",
            dependencies: ["ApusRelay", "ApusWire", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzDecompress",
            dependencies: ["ApusCompression", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzHandshake",
            dependencies: ["ApusSecurity", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
        .executableTarget(
            name: "FuzzSealed",
            dependencies: ["ApusSecurity", "FuzzSupport"],
            swiftSettings: settings,
            linkerSettings: linking
        ),
    ],
    swiftLanguageModes: [.v6]
)
