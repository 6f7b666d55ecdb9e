// What can be seen of the keys of [[listener]]: who answers where, in which language, over which sockets.

import ApusConfiguration
import ApusWire
import Glibc
import TestSupport

extension KeyEffect {
    static let listener = [
        KeyEffect(ListenerKeys.name, ["'one'": "one", "'two'": "two"]) { scene in
            try await scene.serve { server in
                let labels = try server.samples("apus_connections_open").map(\.labels)
                return labels.compactMap { $0.firstMatch(of: /listener="([a-z]+)"/).map { String($0.1) } }
                    .first { $0 != "watch" } ?? "none"
            }
        },
        KeyEffect(
            ListenerKeys.protocol, ["'packet'": "pong", "'admin'": "200"],
            given: ["listener.name": "'door'", "listener.address": "'unix:$/s'"]
        ) { scene in
            let isAdmin = scene.value == "'admin'"
            return try await scene.serve { configuration in
                // Without a packet listener there is that of the server.
                if isAdmin { configuration.set("server.address", "'127.0.0.1:0'") }
            } _: { server in
                let address = "unix:\(scene.file("s"))"
                let fate = try Peer(to: address).fate()
                return fate == "pong" ? fate : "\(try server.get("/livez", at: address).status)"
            }
        },
        KeyEffect(ListenerKeys.address, ["'unix:$/a'": "true false", "'unix:$/b'": "false true"]) { scene in
            try await scene.serve { _ in "\(scene.exists("a")) \(scene.exists("b"))" }
        },
        KeyEffect(ListenerKeys.security, ["'none'": "pong", "'handshake'": "closed"]) { scene in
            try await scene.serve { try $0.connect().fate() }
        },
        KeyEffect(
            ListenerKeys.session, ["'message'": "malformed_message", "'packet'": "peer_finished"]
        ) { scene in
            try await scene.serve { server in
                let peer = try server.connect()
                // A payload of one byte, which is no message.
                try peer.send(bytes: Array(PacketEncoder.encode(.ping).prefix(5)) + [0, 0, 0, 1, 0xFF])
                peer.finishSending()
                return try server.closeReason(of: peer)
            }
        },
        KeyEffect(ListenerKeys.proxyProtocol, ["true": "closed", "false": "pong"]) { scene in
            try await scene.serve { try $0.connect().fate() }
        },
        KeyEffect(ListenerKeys.sendBuffer, ["'32KiB'": "65536", "'64KiB'": "131072"]) { scene in
            try await acceptedOption(scene, SOL_SOCKET, SO_SNDBUF)
        },
        KeyEffect(ListenerKeys.maxUnsentBytes, ["'16KiB'": "16384", "'32KiB'": "32768"]) { scene in
            try await acceptedOption(scene, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT)
        },
        KeyEffect(ListenerKeys.userTimeout, ["'7s'": "7000", "'off'": "0"]) { scene in
            try await acceptedOption(scene, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT)
        },
    ]
}

/// An option of the socket that the server accepted, as the kernel tells it.
private func acceptedOption(_ scene: Scene, _ level: Int32, _ option: Int32) async throws -> String {
    try await scene.serve { server in
        let peer = try server.connect()
        guard peer.fate() == "pong" else { return "no answer" }
        let accepted = (3..<Int32(4096)).first { remotePort(of: $0) == localPort(peer) }
        var (value, size) = (Int32(-1), socklen_t(MemoryLayout<Int32>.size))
        getsockopt(accepted ?? -1, level, option, &value, &size)
        return "\(value)"
    }
}

private func localPort(_ peer: Peer) -> UInt16? {
    peer.localAddress.split(separator: ":").last.flatMap { UInt16($0) }
}

/// Of a TCP connection; nil for anything else.
private func remotePort(of descriptor: Int32) -> UInt16? {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &size) }
    }
    guard result == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
    return UInt16(bigEndian: address.sin_port)
}
