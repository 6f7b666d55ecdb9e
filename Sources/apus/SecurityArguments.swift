// What flags about security share: names, key files, lists.

import ApusCompression
import ApusSecurity
import ArgumentParser
import Foundation
import Glibc

/// How connections are protected.
enum SecurityArgument: String, CaseIterable, ExpressibleByArgument {
    case none, handshake, tls
}

/// Algorithms between commas, best first.
struct CompressionArgument: ExpressibleByArgument {
    let algorithms: [CompressionAlgorithm]

    init(_ algorithms: [CompressionAlgorithm]) { self.algorithms = algorithms }

    init?(argument: String) {
        let names = Dictionary(uniqueKeysWithValues: CompressionAlgorithm.allCases.map { ("\($0)", $0) })
        let found = argument.split(separator: ",", omittingEmptySubsequences: false).map { names[String($0)] }
        if argument == "none" { self.init([]) } else if found.contains(nil) { return nil } else {
            self.init(found.compactMap(\.self))
        }
    }

    var defaultValueDescription: String {
        algorithms.isEmpty ? "none" : algorithms.map(\.description).joined(separator: ",")
    }
}

/// NPRO's handshake, for servers and clients alike.
struct HandshakeOptions: ParsableArguments {
    @Option(help: "Handshake: a file with the pre-shared key, 16 random bytes or more; a final newline does not count.")
    var pskFile: String?

    @Option(help: "Handshake: a file with this side's Ed25519 identity, made by: apus certs identity.")
    var identityFile: String?

    @Option(help: "Handshake: the only public keys (hex, 32 bytes) that peers may have. TLS: certificates' SHA-256.")
    var pin: [String] = []

    @Flag(help: "Handshake: in spite of a pre-shared key or pins, take peers of plain version 1, which prove nothing.")
    var allowV1 = false

    @Option(help: "Handshake: what payloads may be packed with, best first: lz4, zstd, both between commas, or none.")
    var compression = CompressionArgument([])

    func settings() throws -> HandshakeSettings {
        var settings = HandshakeSettings()
        if let pskFile { settings.presharedKey = try SecretFile.presharedKey(pskFile) }
        if let identityFile { settings.identity = try SecretFile.identity(identityFile) }
        settings.pinnedPeers = try certificatePins().map(\.sha256)
        settings.allowsV1 = allowV1
        return settings
    }

    func certificatePins() throws -> [CertificatePin] {
        try pin.map { text in
            guard let pin = CertificatePin(hex: text) else {
                throw Failure(
                    .invalidConfiguration, "apus: --pin \(text): 64 hexadecimal digits, as apus certs show prints")
            }
            return pin
        }
    }

    var compressionSettings: CompressionSettings {
        var settings = CompressionSettings()
        settings.algorithms = compression.algorithms
        return settings
    }

    /// The flags that only the handshake knows, as they were given.
    var given: [String] {
        [
            (pskFile != nil, "--psk-file"), (identityFile != nil, "--identity-file"), (allowV1, "--allow-v1"),
            (!compression.algorithms.isEmpty, "--compression"),
        ].filter(\.0).map(\.1)
    }
}

/// Files that hold secrets. What is wrong with them is said without a byte of theirs.
enum SecretFile {
    /// Without the newline that editors leave.
    static func read(_ path: String, _ flag: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.invalidConfiguration, "apus: \(flag) \(path): cannot be read: is it there, and is it yours?")
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try refuseOpen(descriptor, path, flag)
        var bytes = Array(try file.readToEnd() ?? Data())
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return bytes
    }

    static func presharedKey(_ path: String) throws -> PresharedKey {
        let bytes = try read(path, "--psk-file")
        guard bytes.count >= PresharedKey.byteCountMin else {
            throw Failure(
                .invalidConfiguration,
                "apus: --psk-file \(path): a pre-shared key has at least \(PresharedKey.byteCountMin) random bytes, "
                    + "found \(bytes.count)")
        }
        return PresharedKey(bytes.span.bytes)
    }

    /// 64 hexadecimal digits: the seed of RFC 8032.
    static func identity(_ path: String) throws -> IdentityKey {
        let text = String(decoding: try read(path, "--identity-file"), as: UTF8.self)
        // As many digits as a pin has.
        guard let seed = CertificatePin(hex: text) else {
            throw Failure(
                .invalidConfiguration,
                "apus: --identity-file \(path): 64 hexadecimal digits, made by: apus certs identity")
        }
        let bytes = seed.sha256
        let key = SecretKey32(copying: bytes.span.bytes)
        return IdentityKey(seed: key)
    }

    /// A secret that others may read is none. Of the file that was opened, wherever links lead.
    private static func refuseOpen(_ descriptor: Int32, _ path: String, _ flag: String) throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & 0o077 != 0 else { return }
        let mode = String(status.st_mode & 0o777, radix: 8)
        throw Failure(
            .invalidConfiguration, "apus: \(flag) \(path): others may read it (mode \(mode)): chmod 600 \(path)")
    }
}
