// A shard over a simulated kernel of its own: the part of a simulation of which there may be several. It knows no
// clients, nor what its listeners speak.

import ApusReactor
import ApusServer

final class SimulatedShard {
    let kernel: SimulatedKernel
    let shared: SharedState
    let inbox: Inbox<ShardEvent>
    var shard: Shard<SimulatedRing>

    /// With a socket for each of the configuration's listeners.
    init(
        _ configuration: ServerConfiguration, _ dispatcher: Dispatcher, over kernel: SimulatedKernel,
        _ shared: SharedState, inboundMax: Int, outboundMax: Int
    ) throws {
        self.kernel = kernel
        self.shared = shared
        inbox = try Inbox(countMax: 10_000)
        let settings = ShardSettings(
            configuration, dispatcher, index: UInt8(kernel.number), shared: shared, inbox: inbox)
        let listeners = configuration.listeners.indices.map { index in
            let simulated = kernel.listen(inboundMax: inboundMax, outboundMax: outboundMax)
            return ShardListener(simulated.descriptor, listener: UInt8(index), sharesOut: false)
        }
        shard = try Shard(io: SimulatedRing(kernel), listeners: listeners, settings)
    }

    var state: UnsafeMutablePointer<ShardState> { shard.state }
    var counters: ShardCounters { state.pointee.counters }

    func forEachConnection(_ body: (UInt32, Connection) -> Void) {
        for slot in 0..<UInt32(state.pointee.slab.slotCount) where state.pointee.slab.isOccupied(slot) {
            body(slot, state.pointee.slab[slot].pointee)
        }
    }
}
