// A framed echo server on SwiftNIO: `echo-nio --port N [--loops N]`, one event loop unless told otherwise.
// SIGTERM keeps its default action: the process ends.
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#endif

@main
enum EchoNIO {
    static func main() throws {
        guard let options = Options(CommandLine.arguments.dropFirst()) else {
            print("usage: echo-nio --port N [--loops N]")
            exit(2)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: options.loops)
        let server = try bootstrap(on: group).bind(host: "127.0.0.1", port: options.port).wait()
        print("listening on 127.0.0.1:\(server.localAddress?.port ?? options.port)")
        fflush(nil)
        try server.closeFuture.wait()
    }

    private static func bootstrap(on group: MultiThreadedEventLoopGroup) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(PacketDecoder()), EchoHandler(),
                    ])
                }
            }
    }
}

struct Options {
    var port = 0
    var loops = 1

    init?(_ arguments: ArraySlice<String>) {
        var left = arguments
        while let name = left.popFirst() {
            guard let value = left.popFirst().flatMap({ Int($0) }) else { return nil }
            switch name {
            case "--port" where 0...65535 ~= value: port = value
            case "--loops" where value > 0: loops = value
            default: return nil
            }
        }
    }
}
