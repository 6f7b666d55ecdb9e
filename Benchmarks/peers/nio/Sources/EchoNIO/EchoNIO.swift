// A framed echo server on SwiftNIO: `echo-nio --port N [--loops N] [--certificate F --key F]`, one event loop unless
// told otherwise; with a certificate and its key (PEM files) it speaks TLS 1.3, and nothing else changes.
// SIGTERM keeps its default action: the process ends.
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#endif

@main
enum EchoNIO {
    static func main() throws {
        guard let options = Options(CommandLine.arguments.dropFirst()) else {
            print("usage: echo-nio --port N [--loops N] [--certificate F --key F]")
            exit(2)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: options.loops)
        let tls = try makeTLS(options)
        let server = try bootstrap(on: group, tls).bind(host: "127.0.0.1", port: options.port).wait()
        print("listening on 127.0.0.1:\(server.localAddress?.port ?? options.port)")
        fflush(nil)
        try server.closeFuture.wait()
    }

    private static func bootstrap(on group: MultiThreadedEventLoopGroup, _ tls: NIOSSLContext?) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.addHandlers([ByteToMessageHandler(PacketDecoder()), EchoHandler()])
                }
            }
    }

    /// BoringSSL's TLS 1.3 has no list of suites to set: it takes the client's first choice, and tickets are on.
    private static func makeTLS(_ options: Options) throws -> NIOSSLContext? {
        guard let certificate = options.certificate, let key = options.key else { return nil }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        configuration.minimumTLSVersion = .tlsv13
        return try NIOSSLContext(configuration: configuration)
    }
}

struct Options {
    var port = 0
    var loops = 1
    var certificate: String?
    var key: String?

    init?(_ arguments: ArraySlice<String>) {
        var left = arguments
        while let name = left.popFirst() {
            guard let value = left.popFirst() else { return nil }
            switch name {
            case "--port":
                guard let number = Int(value), 0...65535 ~= number else { return nil }
                port = number
            case "--loops":
                guard let number = Int(value), number > 0 else { return nil }
                loops = number
            case "--certificate": certificate = value
            case "--key": key = value
            default: return nil
            }
        }
        guard (certificate == nil) == (key == nil) else { return nil }
    }
}
