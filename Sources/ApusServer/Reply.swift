// Where a handler writes what the peer gets. The bytes go straight into the connection's outbound buffer, header first;
// at the end of the turn all replies of a connection leave in one send.

import ApusReactor
import ApusWire

/// The reply to one request: nothing, or one packet, or several. Valid while the handler runs.
public struct Reply: ~Copyable {
    private let connection: UnsafeMutablePointer<Connection>
    private let state: UnsafeMutablePointer<ShardState>
    /// Set when the connection has to end after this reply.
    private(set) var closing: CloseReason?

    @inline(__always)
    init(to connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>) {
        self.connection = connection
        self.state = state
        closing = nil
    }

    /// Answer with the same message; what trailed it is left out.
    public mutating func echo(_ message: borrowing MessageView) { sendPacket(message.encoded) }

    /// Answer with PONG.
    public mutating func pong() {
        if !state.pointee.appendBare(.pong, to: connection) { closing = .memoryBudget }
    }

    public mutating func send(_ message: Message) {
        write(payloadByteCount: MessageEncoder.byteCount(of: message)) { MessageEncoder.encode(message, into: &$0) }
    }

    /// Answer with a custom message.
    /// - Parameters:
    ///   - command: its name, UTF-8.
    ///   - content: its payload.
    public mutating func sendCustom(command: RawSpan, content: RawSpan) {
        let byteCount = MessageEncoder.byteCountOfCustom(
            commandByteCount: command.byteCount, contentByteCount: content.byteCount)
        write(payloadByteCount: byteCount) {
            MessageEncoder.encodeCustom(command: command, content: content, into: &$0)
        }
    }

    /// Answer with a packet whose payload is `payload` as it is.
    public mutating func sendPacket(_ payload: RawSpan) {
        guard mayBe(payload.byteCount) else { return }
        if !state.pointee.append(payload: payload, to: connection) { closing = .memoryBudget }
    }

    /// Answer with a packet of at most `payloadByteCountMax` payload bytes, of which `body` writes as many as it likes.
    public mutating func sendPacket(payloadByteCountMax: Int, _ body: (inout OutputRawSpan) -> Void) {
        guard mayBe(payloadByteCountMax) else { return }
        if !state.pointee.append(payloadByteCountMax: payloadByteCountMax, to: connection, body) {
            closing = .memoryBudget
        }
    }

    /// Close the connection once this reply, and all before it, have been sent.
    public mutating func close() { closing = closing ?? .handler }

    /// Send a message to any connection, from the loop of this one. A connection that is gone gets nothing, and a lane
    /// to another shard that is full drops it; both are counted.
    /// To another shard a packet is at most 128 KiB; `ServerHandle.push` takes any.
    public mutating func push(_ message: Message, to token: ConnectionToken) {
        state.pointee.push(message, to: token)
    }

    @inline(__always)
    private mutating func write(payloadByteCount: Int, _ body: (inout OutputRawSpan) -> Void) {
        guard mayBe(payloadByteCount) else { return }
        if !state.pointee.append(payloadByteCount: payloadByteCount, to: connection, body) { closing = .memoryBudget }
    }

    /// Whether a packet can be that long on this connection; if not, the connection ends.
    @inline(__always)
    private mutating func mayBe(_ payloadByteCount: Int) -> Bool {
        let isPossible =
            payloadByteCount <= PacketFormat.payloadByteCountMax - connection.pointee.protection.payloadOverhead
        if !isPossible { closing = .oversizeReply }
        return isPossible
    }
}
