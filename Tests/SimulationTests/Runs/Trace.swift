// What happens in a run, turn by turn, for whoever replays a seed: APUS_TRACE=1.

import ApusServer
import Foundation

enum Trace {
    private static let isOn = ProcessInfo.processInfo.environment["APUS_TRACE"] != nil

    static func note(_ simulation: Simulation) {
        guard isOn else { return }
        print("turn \(simulation.kernel.waitCount), \(Double(simulation.kernel.now.nanoseconds) / 1e9) s")
        simulation.forEachConnection { slot, connection in note(slot, connection, simulation) }
    }

    private static func note(_ slot: UInt32, _ connection: Connection, _ simulation: Simulation) {
        guard let client = simulation.client(of: connection.descriptor) else { return }
        let bits = [
            (connection.receiving, "receiving"), (connection.sending, "sending"),
            (connection.shuttingDown, "shutting down"), (connection.closing, "closing"),
            (connection.isPaused, "paused"),
        ]
        .compactMap { $0 ? $1 : nil }.joined(separator: ", ")
        print(
            "    slot \(slot): \(client.name), which \(client.script.ending), has \(client.hearing.replyCount) of "
                + "\(client.repliesDue) replies; \(connection.phase), \(bits); "
                + "\(connection.inbound.byteCount) bytes in, \(connection.outbound.byteCount) out, "
                + "async \(connection.asyncAnswered)/\(connection.asyncRequested)")
    }

    static func note(_ simulation: RelaySimulation, _ index: Int) {
        guard isOn else { return }
        let shard = simulation.shards[index]
        print("shard \(index), turn \(shard.kernel.waitCount), \(Double(shard.kernel.now.nanoseconds) / 1e9) s")
        shard.forEachConnection { slot, connection in
            guard let client = simulation.client(of: connection.descriptor) else { return }
            print(
                "    slot \(slot): \(client.name), which \(client.script); \(connection.phase), "
                    + "\(connection.isPaused ? "paused, " : "")\(connection.inbound.byteCount) bytes in, "
                    + "\(connection.outbound.byteCount) out, heard \(client.datagramsHeard) datagrams")
        }
    }
}
