// Answers requests: the replies to a read batch gather in one buffer, written and flushed once at its end.
import NIOCore

final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let retainedByteCountMax = 64 * 1024
    private var replies = ByteBuffer()
    private var closing = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {  // tidy: SwiftNIO's name
        guard !closing else { return }
        do {
            switch try Request(decoding: unwrapInboundIn(data)) {
            case .ping: replies.writePong()
            case .echo(let text): replies.writeEcho(text)
            case .ignored: break
            }
        } catch {
            errorCaught(context: context, error: error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard replies.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(replies), promise: nil)
        // Keeps the storage when the socket took everything at once; otherwise the channel has it, and we get another.
        // What a large packet has blown up is not kept.
        replies.clear()
        if replies.storageCapacity > Self.retainedByteCountMax { replies = ByteBuffer() }
    }

    /// While the peer does not read its replies, nothing more is read from it.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        // Fails only on a channel that is closing, and that one reads nothing more anyway.
        _ = context.channel.setOption(.autoRead, value: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    /// Malformed bytes and broken sockets: the replies to what came before go out, then the connection closes.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let channel = context.channel
        closing = true
        context.writeAndFlush(wrapOutboundOut(replies)).whenComplete { _ in channel.close(promise: nil) }
        replies.clear()
    }
}
