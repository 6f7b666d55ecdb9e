// Sessions of ours against the `openssl` command, over TCP.

import ApusSecurity
import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct TLSInteropTests {
    let identities: TestIdentities

    init() throws { identities = try TestIdentities.shared.get() }

    @Test(arguments: TLSVersion.allCases)
    func ourServerAndTheirClient(version: TLSVersion) async throws {
        let (socket, port) = try listen()
        let context = try serverContext {
            $0.clientVerification = .required
            $0.authorities = .pem(identities.authority.chain)
            $0.applicationProtocols = ["npro/1"]
        }
        let end = try TLSEnd(context)
        let arguments = [
            "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", identities.authority.chainPath, "-cert",
            identities.client.chainPath, "-key", identities.client.keyPath, "-alpn", "npro/1", "-verify_return_error",
            "-verify_hostname", "relay.test", "-quiet", version == .tls13 ? "-tls1_3" : "-tls1_2",
        ]
        let client = Background { try openssl(arguments, input: "hello from s_client\n") }
        try await blocking {
            let connection = try StreamEnd(accepting: socket)
            try connection.drive(end) { end.heard.count >= 20 }
            end.unsaid = Array("and good day to you\n".utf8)
            try connection.drive(end) { end.unsaid.isEmpty }
            end.close()
            try connection.drive(end) { end.state == .closedByPeer }
        }
        #expect(String(decoding: end.heard, as: UTF8.self) == "hello from s_client\n")
        #expect(end.session.version == version)
        #expect(end.session.applicationProtocol == "npro/1")
        #expect(end.session.peerCertificate?.subject == "CN=client,O=Apus tests")
        #expect(String(decoding: try client.value(), as: UTF8.self) == "and good day to you\n")
    }

    @Test(arguments: TLSVersion.allCases)
    func ourClientAndTheirServer(version: TLSVersion) async throws {
        let server = try OpenSSLServer(identities.server, version == .tls13 ? "-tls1_3" : "-tls1_2")
        let context = try clientContext { $0.only(version) }
        var kept: TLSResumption?
        for round in 0..<2 {
            let end = try TLSEnd(context, resuming: kept)
            // Unchecked hand-over: the test waits here while the blocking code uses it.
            try await blocking {
                let connection = try StreamEnd(connectingTo: server.port)
                end.unsaid = Array("echo\n".utf8)
                // s_server -rev sends each line back to front.
                try connection.drive(end) { end.heard.count >= 5 }
                end.close()
                try connection.drive(end) { end.outbound.isEmpty }
            }
            #expect(String(decoding: end.heard, as: UTF8.self) == "ohce\n")
            #expect(end.session.version == version)
            #expect(end.isResumed == (round == 1))
            kept = end.session.resumption()
            #expect(kept != nil)
        }
    }
}

// MARK: Sockets that block

/// A TCP connection whose bytes go through a session.
private struct StreamEnd: ~Copyable {
    private let descriptor: Int32

    struct SystemCallFailed: Error {
        let call: String
        let errno: Int32
    }

    init(accepting listener: Int32) throws {
        let accepted = accept(listener, nil, nil)
        Glibc.close(listener)
        guard accepted >= 0 else { throw SystemCallFailed(call: "accept", errno: errno) }
        descriptor = accepted
        setPatience()
    }

    init(connectingTo port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeBytes(of: &address) {
            connect(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), size)
        }
        guard result == 0 else { throw SystemCallFailed(call: "connect", errno: errno) }
        setPatience()
    }

    deinit { Glibc.close(descriptor) }

    private borrowing func setPatience() {
        var timeout = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Until `isDone`, the end of the stream, or a failure.
    borrowing func drive(_ end: TLSEnd, until isDone: () -> Bool) throws {
        while true {
            while end.turn() {}
            try write(end)
            if isDone() || end.failure != nil { return }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = read(descriptor, &bytes, bytes.count)
            guard count >= 0 else { throw SystemCallFailed(call: "read", errno: errno) }
            guard count > 0 else { return }
            end.inbound += bytes.prefix(count)
        }
    }

    private borrowing func write(_ end: TLSEnd) throws {
        while !end.outbound.isEmpty {
            let count = send(descriptor, end.outbound, end.outbound.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { throw SystemCallFailed(call: "send", errno: errno) }
            end.outbound.removeFirst(count)
        }
    }
}

private func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

/// A listening socket on a free port of 127.0.0.1.
private func listen() throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(port: 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutableBytes(of: &address) { bytes in
        let generic = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
        guard bind(descriptor, generic, size) == 0, Glibc.listen(descriptor, 1) == 0 else { return Int32(-1) }
        return getsockname(descriptor, generic, &size)
    }
    guard result == 0 else { throw StreamEnd.SystemCallFailed(call: "bind", errno: errno) }
    return (descriptor, UInt16(bigEndian: address.sin_port))
}

/// `openssl s_server -rev` on a port that it chose.
private final class OpenSSLServer: Sendable {
    private let process: Process
    let port: UInt16

    init(_ identity: TestIdentity, _ version: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", identity.chainPath, "-key", identity.keyPath,
            "-rev", version,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        // Among other lines it prints `ACCEPT 127.0.0.1:PORT` when it listens.
        let accept = /ACCEPT .*:(\d+)\n/
        var text = ""
        while !text.contains(accept), case let bytes = output.fileHandleForReading.availableData, !bytes.isEmpty {
            text += String(decoding: bytes, as: UTF8.self)
        }
        let digits = text.firstMatch(of: accept)?.output.1
        port = try #require(digits.flatMap { UInt16($0) }, "s_server printed: \(text)")
    }

    deinit { process.terminate() }
}
