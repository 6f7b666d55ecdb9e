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
    @inline(__always)
    public mutating func echo(_ message: borrowing MessageView) {
        let body = message.encoded
        write(payloadByteCount: body.byteCount) { $0.append(copying: body) }
    }

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
        write(payloadByteCount: payload.byteCount) { $0.append(copying: payload) }
    }

    /// Answer with a packet of at most `payloadByteCountMax` payload bytes, of which `body` writes as many as it likes.
    public mutating func sendPacket(payloadByteCountMax: Int, _ body: (inout OutputRawSpan) -> Void) {
        guard let start = reserve(payloadByteCountMax) else { return }
        var output = OutputRawSpan(
            buffer: UnsafeMutableRawBufferPointer(
                start: start + PacketFormat.headerByteCount, count: payloadByteCountMax),
            initializedCount: 0)
        body(&output)
        let payloadByteCount = output.byteCount
        _ = consume output
        writeHeader(at: start, payloadByteCount: payloadByteCount)
        connection.pointee.outbound.commit(PacketFormat.headerByteCount + payloadByteCount)
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
        guard let start = reserve(payloadByteCount) else { return }
        let byteCount = PacketFormat.headerByteCount + payloadByteCount
        var output = OutputRawSpan(
            buffer: UnsafeMutableRawBufferPointer(start: start, count: byteCount), initializedCount: 0)
        PacketEncoder.writeHeader(payloadByteCount: payloadByteCount, into: &output)
        body(&output)
        assert(output.byteCount == byteCount)
        _ = consume output
        connection.pointee.outbound.commit(byteCount)
    }

    /// Room for a header and `payloadByteCount` bytes. Nil, and the connection ends, when no buffer is left or no
    /// packet can be that long.
    @inline(__always)
    private mutating func reserve(_ payloadByteCount: Int) -> UnsafeMutableRawPointer? {
        guard payloadByteCount <= PacketFormat.payloadByteCountMax else {
            closing = .oversizeReply
            return nil
        }
        let byteCount = PacketFormat.headerByteCount + payloadByteCount
        guard let start = connection.pointee.outbound.reserve(byteCount, from: &state.pointee.pool) else {
            closing = .memoryBudget
            return nil
        }
        return start
    }

    private func writeHeader(at start: UnsafeMutableRawPointer, payloadByteCount: Int) {
        var header = OutputRawSpan(
            buffer: UnsafeMutableRawBufferPointer(start: start, count: PacketFormat.headerByteCount),
            initializedCount: 0)
        PacketEncoder.writeHeader(payloadByteCount: payloadByteCount, into: &header)
    }
}
