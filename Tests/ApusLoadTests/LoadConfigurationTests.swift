import ApusReactor
import Glibc
import Testing

@testable import ApusLoad

@Suite struct LoadConfigurationTests {
    private let address: SocketAddress

    init() throws { address = try SocketAddress(parsing: "127.0.0.1:9000") }

    @Test func `the defaults are valid`() throws {
        try PacketLoadConfiguration(address: address).validate()
        try ConnectLoadConfiguration(address: address).validate()
        try IdleLoadConfiguration(address: address, serverPID: 1).validate()
    }

    @Test func `what is out of range is named, with the range`() {
        let changes: [(inout PacketLoadConfiguration) -> Void] = [
            { $0.connections = 0 }, { $0.depth = 0 }, { $0.textByteCount = -1 }, { $0.textByteCount = 16 << 20 },
            { $0.seconds = 0 }, { $0.seconds = .nan }, { $0.warmupSeconds = -1 }, { $0.rate = 0 },
            { $0.rate = .infinity },
        ]
        for change in changes {
            var configuration = PacketLoadConfiguration(address: address)
            change(&configuration)
            #expect(throws: LoadError.self) { try configuration.validate() }
        }
        var configuration = PacketLoadConfiguration(address: address)
        configuration.depth = 0
        let error = #expect(throws: LoadError.self) { try configuration.validate() }
        #expect(error?.description == "depth is 0: it must be 1 … 65536.")
    }

    @Test func `requests that would fill the memory are refused`() {
        var configuration = PacketLoadConfiguration(address: address)
        configuration.connections = 1000
        configuration.textByteCount = 16_000_000
        #expect(throws: LoadError.self) { try configuration.validate() }
    }

    @Test func `an idle load's baseline is smaller than its connections`() {
        var configuration = IdleLoadConfiguration(address: address, serverPID: 1)
        configuration.connections = 200
        #expect(throws: LoadError.self) { try configuration.validate() }
    }

    @Test func `an errno of a connect says whether to give up, to slow down or to count`() {
        #expect(ConnectError(-ECONNREFUSED) == .refused && ConnectError(-ENOENT) == .refused)
        #expect(ConnectError(-EADDRNOTAVAIL) == .noPort)
        #expect(ConnectError(-ECANCELED) == .interrupted)
        #expect(ConnectError(-EHOSTUNREACH) == .failed)
    }

    @Test func `a loopback has several sources, and nothing else has`() throws {
        for (text, isBound) in [("127.0.0.1:9000", true), ("10.0.0.1:9000", false), ("[::1]:9000", false)] {
            let target = try SocketAddress(parsing: text)
            var sources = SourceAddresses(for: target)
            var found: Set<String> = []
            for _ in 0..<20 {
                let socket = try sources.openSocket(for: target)
                found.insert(localAddress(of: socket).map { "\($0)" } ?? "none")
                closeForTest(socket)
            }
            #expect(found.count == (isBound ? 16 : 1))
        }
    }
}
