// What is different for a relay's peers: their clocks, what waits for them when a turn ends, how they are told to
// leave, and that others must know when they are gone.

import ApusReactor
import ApusWire

// MARK: The end of a turn

extension Shard where IO: ~Copyable {
    /// Put what waits for this peer behind what it is sent, as far as there is room: news first.
    @inline(__always)
    mutating func gather(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        if state.pointee.relayShard.pointee.peer(slot).pointee.hasNews { state.pointee.tellPeer(slot, connection) }
        if connection.pointee.hasBacklog { state.pointee.takeBacklog(slot, connection) }
    }

    /// It is nobody's peer any more. False: there is no room to say so yet; look again.
    @discardableResult
    mutating func depart(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> Bool {
        if state.pointee.depart(slot, connection) { return true }
        state.pointee.isLaneStarved = true
        return false
    }

    /// A peer is told that the relay closes, and closes itself (relay.md §1.3.4).
    mutating func leaveRelay(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard slot < state.pointee.leavingSlotCount, connection.pointee.session == .relay else { return }
        if connection.pointee.isEstablished {
            // Without a buffer the end of the connection says the same.
            _ = state.pointee.appendFrame(payloadByteCount: RelayFormat.headerByteCount, to: connection) {
                RelayEncoder.writeClose(into: &$0)
            }
        }
        finish(slot, connection, .drained)
    }
}

// MARK: Time

extension Shard where IO: ~Copyable {
    /// Whatever a peer sends is a sign of life (relay.md §4.3).
    func overdueRelay(_ connection: UnsafeMutablePointer<Connection>) -> CloseReason? {
        let timeout = state.pointee.relayShard.pointee.settings.livenessTimeout
        let isSilent = state.pointee.now >= timeout.deadline(from: connection.pointee.lastReceived)
        return isSilent && !connection.pointee.isPaused ? .deadPeer : nil
    }

    func nextDueRelay(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> Instant {
        let settings = state.pointee.relayShard.pointee.settings
        let lastProbed = state.pointee.relayShard.pointee.peer(slot).pointee.lastProbed
        let heard = connection.pointee.isPaused ? state.pointee.now : connection.pointee.lastReceived
        return min(
            restDue(connection),
            min(lastProbed + settings.healthInterval.length, heard + settings.livenessTimeout.length))
    }

    func isProbeDue(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> Bool {
        guard connection.pointee.session == .relay, connection.pointee.phase == .open,
            connection.pointee.isEstablished
        else { return false }
        let peer = state.pointee.relayShard.pointee.peer(slot)
        return state.pointee.now
            >= peer.pointee.lastProbed + state.pointee.relayShard.pointee.settings.healthInterval.length
    }

    /// Ask a peer whether it is there. One that has much to take is not asked: it shows by taking it.
    mutating func probe(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        let peer = state.pointee.relayShard.pointee.peer(slot)
        peer.pointee.lastProbed = state.pointee.now
        if peer.pointee.rest(after: RelayPeer.activityLength, at: state.pointee.now) {
            state.pointee.counters.relay.countResting()
        }
        guard state.pointee.mayAddControl(connection) else { return }
        let isAsked = state.pointee.appendFrame(payloadByteCount: RelayFormat.headerByteCount, to: connection) {
            RelayEncoder.writeHealthCheck(into: &$0)
        }
        if !isAsked { abort(slot, connection, .memoryBudget) }
        state.pointee.touch(slot)
    }
}
