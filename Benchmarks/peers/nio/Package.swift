// swift-tools-version: 6.2
import PackageDescription

/// A package of its own: Apus does not depend on SwiftNIO, only its benchmarks compare with it.
let package = Package(
    name: "echo-nio",
    products: [.executable(name: "echo-nio", targets: ["EchoNIO"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    ],
    targets: [
        .executableTarget(
            name: "EchoNIO",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]
        )
    ],
    swiftLanguageModes: [.v6]
)
