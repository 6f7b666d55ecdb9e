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
        state.pointee.relayShard.pointee.awaitingLanes.append(slot)
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

// MARK: Waiting

extension Shard where IO: ~Copyable {
    /// Peers that waited for what is scarce go on as far as there is some again. Who waits anew is for the next turn.
    mutating func resumeWaiting() {
        let relay = state.pointee.relayShard
        for _ in 0..<relay.pointee.awaitingLanes.count where state.pointee.lanesHaveRoom {
            if let slot = relay.pointee.awaitingLanes.popFirst() { resumeWaiting(slot) }
        }
        for _ in 0..<relay.pointee.awaitingBuffers.count where state.pointee.hasSpareBuffers {
            if let slot = relay.pointee.awaitingBuffers.popFirst() { resumeWaiting(slot) }
        }
    }

    private mutating func resumeWaiting(_ slot: UInt32) {
        guard state.pointee.slab.isOccupied(slot) else { return }
        let connection = state.pointee.slab[slot]
        guard connection.pointee.session == .relay else { return }
        state.pointee.touch(slot)
        resume(slot, connection)
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

    /// Buffers were short, which is not the peer's fault: it is asked in a second.
    private func probeAgainSoon(_ slot: UInt32) {
        let interval = state.pointee.relayShard.pointee.settings.healthInterval.length
        let now = state.pointee.now.nanoseconds
        let probed = Instant(nanoseconds: now - min(now, interval - min(interval, .second)))
        state.pointee.relayShard.pointee.peer(slot).pointee.lastProbed = probed
    }

    /// Ask a peer whether it is there. Its own clock waits for the question, whatever else it is sent (relay.md §4.3).
    mutating func probe(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        let peer = state.pointee.relayShard.pointee.peer(slot)
        peer.pointee.lastProbed = state.pointee.now
        if peer.pointee.rest(after: RelayPeer.activityLength, at: state.pointee.now) {
            state.pointee.counters.relay.countResting()
        }
        let isAsked = state.pointee.appendFrame(payloadByteCount: RelayFormat.headerByteCount, to: connection) {
            RelayEncoder.writeHealthCheck(into: &$0)
        }
        if !isAsked { probeAgainSoon(slot) }
        state.pointee.touch(slot)
    }
}
