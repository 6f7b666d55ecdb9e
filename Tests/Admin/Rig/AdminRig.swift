// A server with admin listeners and a load that is worth looking at, for the scripts of this folder: it prints where it
// listens, and ends when its standard input does.

import ApusServer
import Glibc
import TestSupport

@main
struct AdminRig {
    static func main() throws {
        let folder = try TemporaryFolder()
        let handle = try server(folder).start()
        defer {
            handle.stop()
            handle.wait()
        }
        for (name, address) in zip(["packet", "admin", "control"], handle.boundAddresses) { print(name, address) }
        fflush(nil)
        for number in 0..<3 { _ = Background { try talk(number, to: handle.boundAddresses[0]) } }
        _ = Background { try misbehave(towards: handle.boundAddresses[0]) }
        while readLine() != nil {}
    }

    private static func server(_ folder: TemporaryFolder) -> Server {
        var configuration = ServerConfiguration(listeners: [
            ListenerConfiguration(name: "edge", address: "127.0.0.1:0"),
            ListenerConfiguration(name: "admin", address: "127.0.0.1:0", session: .admin),
            ListenerConfiguration(name: "control", address: "unix:" + folder.file("control.sock"), session: .admin),
        ])
        configuration.shards = 2
        configuration.admin.version = "rig"
        configuration.admin.control = { command in ControlAnswer(.done, "\(command)") }
        return Server(configuration)
    }

    /// Echoes of all sizes, more and fewer of them in turn, over connections that come and go.
    private static func talk(_ number: Int, to address: String) throws {
        var peers: [Peer] = []
        for round in 0... {
            let wanted = 6 + number * 4 + (round / 40 + number) % 9
            while peers.count < wanted { peers.append(try Peer(to: address)) }
            while peers.count > wanted { peers.removeFirst().close() }
            let text = String(repeating: "a", count: round % 17 == 0 ? 200_000 : 64 << (round % 5))
            for peer in peers { try peer.send(.echo(text), .custom(command: "NOBODY", payload: []), .ping) }
            for peer in peers { _ = try peer.read(2) }
            usleep(UInt32(8_000 + 6_000 * ((round / 60) % 4)))
        }
    }

    /// Strangers of every kind, a few a second.
    private static func misbehave(towards address: String) throws {
        for round in 0... {
            let peer = try Peer(to: address)
            switch round % 4 {
            case 0: try peer.send(bytes: Array("GET / HTTP/1.1\r\n".utf8))
            case 1: try peer.send(bytes: Array("NPRO\u{2}".utf8))
            case 2: try peer.send(bytes: Array("NPRO\u{1}".utf8) + [0xFF, 0xFF, 0xFF, 0xFF])
            default: peer.reset()
            }
            usleep(250_000)
        }
    }
}
