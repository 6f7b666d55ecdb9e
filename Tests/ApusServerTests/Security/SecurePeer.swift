// A protected connection over a blocking socket that tests steer byte by byte, and the certificates of a test.

import ApusCompression
import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import Foundation
import TestSupport

/// The raw socket and the channel apart, so that a test can lose, repeat and change what goes between them.
final class SecurePeer {
    let peer: Peer
    let channel: ClientChannel
    private(set) var messages: [Message] = []

    init(to address: String, _ security: ClientSecurity, packing: PayloadPacking? = nil) throws {
        peer = try Peer(to: address)
        channel = try ClientChannels(security, packing: packing).open(wallMilliseconds: WallClock.milliseconds())
    }

    init(to address: String, _ channel: ClientChannel) throws {
        peer = try Peer(to: address)
        self.channel = channel
    }

    /// What waits to be sent, taken out.
    func outgoing() -> [UInt8] { Array(channel.takeOutgoing()) }

    /// Finish the handshake.
    func establish() throws {
        try peer.send(bytes: outgoing())
        try receiveUntilReady()
        // The last word of the handshake is ours.
        try peer.send(bytes: outgoing())
    }

    func receiveUntilReady() throws {
        while !channel.isReady {
            guard try receive() else { throw PeerError.truncated }
            // TLS 1.2 goes to and fro.
            if !channel.isReady { try peer.send(bytes: outgoing()) }
        }
    }

    /// Seal messages without sending them.
    func seal(_ messages: Message...) throws -> [UInt8] {
        try channel.send(messages.flatMap(PacketEncoder.encode))
        return outgoing()
    }

    /// Take in whatever comes next; false when the server has finished.
    @discardableResult
    func receive() throws -> Bool {
        var bytes = try peer.readSome()
        guard !bytes.isEmpty else { return false }
        var plain: [UInt8] = []
        try bytes.withUnsafeMutableBytes { buffer in
            try channel.receive(buffer) { plain += Array($0) }
        }
        take(plain)
        return true
    }

    /// Everything until the server finishes.
    func readToEnd() throws -> [Message] {
        while try receive() {}
        return messages
    }

    /// Messages so far, at least so many.
    func read(_ count: Int) throws -> [Message] {
        while messages.count < count, try receive() {}
        return messages
    }

    private var unread: [UInt8] = []

    private func take(_ plain: [UInt8]) {
        unread += plain
        while case .packet(let payload) = PacketDecoder().step(unread.span.bytes, at: 0) {
            let bytes = Array(unread[payload])
            do {
                messages.append(try Message(decoding: bytes.span.bytes))
            } catch {
                preconditionFailure("the server sent what is no message: \(error)")
            }
            unread.removeFirst(payload.upperBound)
        }
    }
}

func ownProcessID() -> Int32 { ProcessInfo.processInfo.processIdentifier }

extension HandshakeSettings {
    static func presharedKey(_ text: String) -> HandshakeSettings {
        var settings = HandshakeSettings()
        settings.presharedKey = PresharedKey(Array(text.utf8).span.bytes)
        return settings
    }
}

extension PayloadPacking {
    /// Packs everything, however little it helps.
    static var tested: PayloadPacking {
        PayloadPacking(
            pack: { payload, code in
                CompressionAlgorithm(rawValue: code).flatMap { algorithm in
                    Result { try Compression.compress(payload, with: algorithm, level: 1) }.success
                }
            },
            unpack: { packed, code in
                CompressionAlgorithm(rawValue: code).flatMap { algorithm in
                    Result { try Compression.decompress(packed, with: algorithm, byteCountMax: 1 << 24) }.success
                }
            })
    }
}

extension Result {
    /// Nil for a failure.
    fileprivate var success: Success? {
        switch self {
        case .success(let value): value
        case .failure: nil
        }
    }
}

/// A CA and certificates of its making, in a folder of their own; made with `openssl`, which is not what is tested.
final class TestCertificates: Sendable {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try make(authority: "ca")
        try make(node: "node", by: "ca")
    }

    func path(_ name: String) -> String { folder.file(name) }
    var authority: PEMSource { .file(path("ca.pem")) }

    func make(authority name: String) throws {
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            path("\(name).key"), "-out", path("\(name).pem"), "-subj", "/CN=\(name)", "-days", "2")
    }

    func make(node name: String, by authority: String) throws {
        try openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path("\(name).key"),
            "-out", path("\(name).csr"), "-subj", "/CN=\(name)")
        let extensions = path("\(name).ext")
        try "subjectAltName=DNS:localhost,IP:127.0.0.1\n".write(toFile: extensions, atomically: true, encoding: .utf8)
        try openssl(
            "x509", "-req", "-in", path("\(name).csr"), "-CA", path("\(authority).pem"), "-CAkey",
            path("\(authority).key"), "-CAcreateserial", "-out", path("\(name).pem"), "-days", "2", "-extfile",
            extensions)
    }

    func server(_ name: String = "node", _ change: (inout TLSSettings) -> Void = { _ in }) throws -> TLSMaterial {
        var settings = TLSSettings.server(
            certificateChain: .file(path("\(name).pem")), privateKey: .file(path("\(name).key")))
        change(&settings)
        return try TLSMaterial(settings)
    }

    func client(_ change: (inout TLSSettings) -> Void = { _ in }) throws -> ClientSecurity {
        var settings = TLSSettings.client(serverName: "127.0.0.1", authorities: .pem(authority))
        change(&settings)
        return .tls(try TLSMaterial(settings))
    }

    private func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(arguments: arguments) }
    }

    struct Failed: Error {
        let arguments: [String]
    }
}
