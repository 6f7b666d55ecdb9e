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
    var compression: CompressionArgument?

    func settings() throws -> HandshakeSettings {
        var settings = HandshakeSettings()
        if let pskFile { settings.presharedKey = try SecretFile.named("--psk-file", SecretFile.presharedKey, pskFile) }
        if let identityFile {
            settings.identity = try SecretFile.named("--identity-file", SecretFile.identity, identityFile)
        }
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
        settings.algorithms = compression?.algorithms ?? []
        return settings
    }

    /// The flags that only the handshake knows, as they were given.
    var given: [String] {
        [
            (pskFile != nil, "--psk-file"), (identityFile != nil, "--identity-file"), (allowV1, "--allow-v1"),
            (compression.map { !$0.algorithms.isEmpty } ?? false, "--compression"),
        ].filter(\.0).map(\.1)
    }
}

/// What is wrong with a file that holds a secret, without a byte of it: `PATH: reason`.
struct SecretFileError: Error {
    let reason: String

    init(_ path: String, _ reason: String) { self.reason = "\(path): \(reason)" }
}

/// Files that hold secrets.
enum SecretFile {
    /// Read by `reader`; what is wrong is told with the flag that named the file.
    static func named<Secret>(
        _ flag: String, _ reader: (String) throws(SecretFileError) -> Secret, _ path: String
    ) throws -> Secret {
        do throws(SecretFileError) {
            return try reader(path)
        } catch {
            throw Failure(.invalidConfiguration, "apus: \(flag) \(error.reason)")
        }
    }

    /// Without the newline that editors leave.
    static func read(_ path: String) throws(SecretFileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SecretFileError(path, unreadable) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try refuseOpen(descriptor, path)
        var bytes: [UInt8]
        do {
            bytes = Array(try file.readToEnd() ?? Data())
        } catch {
            throw SecretFileError(path, unreadable)
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return bytes
    }

    private static let unreadable = "cannot be read: is it there, and is it yours?"

    static func presharedKey(_ path: String) throws(SecretFileError) -> PresharedKey {
        let bytes = try read(path)
        guard bytes.count >= PresharedKey.byteCountMin else {
            throw SecretFileError(
                path,
                "a pre-shared key has at least \(PresharedKey.byteCountMin) random bytes, found \(bytes.count)")
        }
        return PresharedKey(bytes.span.bytes)
    }

    /// 64 hexadecimal digits: the seed of RFC 8032.
    static func identity(_ path: String) throws(SecretFileError) -> IdentityKey {
        let text = String(decoding: try read(path), as: UTF8.self)
        // As many digits as a pin has.
        guard let seed = CertificatePin(hex: text) else {
            throw SecretFileError(path, "64 hexadecimal digits, made by: apus certs identity")
        }
        let bytes = seed.sha256
        let key = SecretKey32(copying: bytes.span.bytes)
        return IdentityKey(seed: key)
    }

    /// A secret that others may read is none. Of the file that was opened, wherever links lead.
    private static func refuseOpen(_ descriptor: Int32, _ path: String) throws(SecretFileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & 0o077 != 0 else { return }
        let mode = String(status.st_mode & 0o777, radix: 8)
        throw SecretFileError(path, "others may read it (mode \(mode)): chmod 600 \(path)")
    }
}
