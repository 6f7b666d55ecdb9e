// What a server may hold against a client, whatever it speaks: seen from the client's side, with some allowance for
// what the server cannot have seen yet.

import ApusReactor
import ApusServer

extension SimulatedClient {
    /// Completions take a while, so the server may not have seen yet what a client has done just now.
    static let slack: Nanoseconds = 400 * .millisecond

    /// A packet of which it had sent a part was not whole in time, as far as the server can have seen.
    func isDribbling(_ configuration: ServerConfiguration) -> Bool {
        let grace = Nanoseconds(configuration.slowPeerGrace)
        let (broken, mended) = (speech.brokenSince, speech.mended)
        if broken != .never, kernel.now >= broken + grace { return true }
        return mended.since != .never && kernel.now >= mended.since + grace
            && kernel.now <= mended.at + SimulatedClient.slack
    }

    /// It is one that may take less than the least rate, and has been there for long enough.
    func isSlow(_ configuration: ServerConfiguration) -> Bool {
        let isQuick = manners.isPrompt && manners.readMax >= 1000 && isListening && state != .ended(.vanished)
        return !isQuick && kernel.now >= arrival + Nanoseconds(configuration.slowPeerGrace)
    }

    func isLateToSpeak(_ configuration: ServerConfiguration) -> Bool {
        let isDue = kernel.now >= arrival + Nanoseconds(configuration.firstByteTimeout)
        let firstWrite = speech.firstWrite
        return isDue && (firstWrite == .never || firstWrite + SimulatedClient.slack > kernel.now)
    }

    /// It did not read for as long as a send may stand still.
    func hasStalled(_ configuration: ServerConfiguration) -> Bool {
        guard let socket else { return false }
        let current = socket.outbound.isEmpty ? 0 : kernel.now - socket.lastRead
        let longest = max(socket.longestUnread, current)
        return longest + SimulatedClient.slack >= Nanoseconds(configuration.stalledWriteTimeout)
    }
}
