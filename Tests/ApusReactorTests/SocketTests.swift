import ApusReactor
import Foundation
import TestSupport
import Testing

/// A socket that is closed when the test ends.
private final class OwnedSocket {
    let descriptor: Descriptor

    init(_ descriptor: Descriptor) { self.descriptor = descriptor }
    deinit { close(descriptor.number) }

    static func connected(to address: SocketAddress) throws -> OwnedSocket {
        let socket = OwnedSocket(try openStream(for: address))
        let pointer = UnsafeMutablePointer<SocketAddress>.allocate(capacity: 1)
        defer { pointer.deallocate() }
        pointer.initialize(to: address)
        let bytes = SocketAddress.bytes(of: pointer)
        let sockaddr = try #require(bytes.baseAddress).assumingMemoryBound(to: sockaddr.self)
        try #require(connect(socket.descriptor.number, sockaddr, socklen_t(bytes.count)) == 0)
        return socket
    }

    static func accepted(by listener: Descriptor) throws -> OwnedSocket {
        try #require(waitUntilReadable([listener]) == [true])
        return OwnedSocket(Descriptor(accept(listener.number, nil, nil)))
    }

    func option(_ name: Int32, level: Int32) -> Int32? { socketOption(name, level: level, of: descriptor) }
}

/// Which of them are readable; none when that takes half a minute.
private func waitUntilReadable(_ descriptors: [Descriptor]) -> [Bool] {
    var entries = descriptors.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
    poll(&entries, nfds_t(entries.count), 30_000)
    return entries.map { $0.revents != 0 }
}

private func socketOption(_ name: Int32, level: Int32, of socket: Descriptor) -> Int32? {
    var value: Int32 = 0
    var byteCount = socklen_t(4)
    return getsockopt(socket.number, level, name, &value, &byteCount) == 0 ? value : nil
}

private func expectSocketError(
    _ operation: SocketError.Operation, _ errno: Int32, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    let error = #expect(throws: SocketError.self, sourceLocation: sourceLocation, performing: body)
    #expect(error?.operation == operation, sourceLocation: sourceLocation)
    #expect(error?.errno == errno, sourceLocation: sourceLocation)
}

@Suite struct TCPSocketTests {
    @Test(arguments: loopbackAddresses)
    func kernelChoosesAPort(_ text: String) throws {
        let address = try SocketAddress(parsing: text)
        let listeners = try Listeners.open(at: address, count: 1)
        defer { listeners.close() }
        #expect(listeners.address.port != 0)
        #expect(listeners.address.with(port: 0) == address)
        #expect(boundAddress(of: listeners.descriptors[0]) == listeners.address)
    }

    @Test func acceptedSocketsKnowBothEndsAndInheritNoDelay() throws {
        let listeners = try Listeners.open(at: SocketAddress(parsing: "127.0.0.1:0"), count: 1)
        defer { listeners.close() }
        let client = try OwnedSocket.connected(to: listeners.address)
        let server = try OwnedSocket.accepted(by: listeners.descriptors[0])
        #expect(peerAddress(of: client.descriptor) == listeners.address)
        #expect(peerAddress(of: server.descriptor) == localAddress(of: client.descriptor))
        #expect(localAddress(of: server.descriptor) == listeners.address)
        #expect(peerCredentials(of: server.descriptor) == nil)
        #expect(server.option(TCP_NODELAY, level: Int32(IPPROTO_TCP)) == 1)
        #expect(client.option(TCP_NODELAY, level: Int32(IPPROTO_TCP)) == 1)
    }

    @Test func connectionsDivideBetweenSharedSockets() throws {
        let listeners = try Listeners.open(at: SocketAddress(parsing: "127.0.0.1:0"), count: 2)
        defer { listeners.close() }
        #expect(Set(listeners.descriptors.map { boundAddress(of: $0) }) == [listeners.address])
        let clients = try (0..<64).map { _ in try OwnedSocket.connected(to: listeners.address) }
        var accepted = [0, 0]
        while accepted.reduce(0, +) < clients.count {
            let readable = waitUntilReadable(listeners.descriptors)
            try #require(readable.contains(true))
            for index in accepted.indices where readable[index] {
                _ = try OwnedSocket.accepted(by: listeners.descriptors[index])
                accepted[index] += 1
            }
        }
        // One side is empty by chance once in 2^63 runs.
        #expect(accepted.allSatisfy { $0 > 0 })
    }

    /// Two servers whose sockets share a port would split the connections between them.
    @Test(arguments: [1, 2], [1, 2])
    func secondServerFindsThePortInUse(_ first: Int, _ second: Int) throws {
        let listeners = try Listeners.open(at: SocketAddress(parsing: "127.0.0.1:0"), count: first)
        defer { listeners.close() }
        expectSocketError(.bind, EADDRINUSE) { _ = try Listeners.open(at: listeners.address, count: second) }
    }

    @Test func ipv6IsIPv6Only() throws {
        let listeners = try Listeners.open(at: SocketAddress(parsing: "[::]:0"), count: 1)
        defer { listeners.close() }
        #expect(socketOption(IPV6_V6ONLY, level: Int32(IPPROTO_IPV6), of: listeners.descriptors[0]) == 1)
    }

    @Test func portIsFreeAgainAfterClosing() throws {
        let listeners = try Listeners.open(at: SocketAddress(parsing: "127.0.0.1:0"), count: 2)
        listeners.close()
        try Listeners.open(at: listeners.address, count: 2).close()
    }

    @Test func saysWhenTheAddressIsNotOurs() throws {
        let address = try SocketAddress(parsing: "192.0.2.1:9000")
        expectSocketError(.bind, EADDRNOTAVAIL) { _ = try Listeners.open(at: address, count: 1) }
    }

    @Test func unconnectedSocketsHaveNoPeer() throws {
        let socket = OwnedSocket(try openStream(for: SocketAddress(parsing: "127.0.0.1:0")))
        #expect(peerAddress(of: socket.descriptor) == nil)
        #expect(localAddress(of: Descriptor(-1)) == nil)
    }

    @Test func takesOptions() throws {
        let socket = OwnedSocket(try openStream(for: SocketAddress(parsing: "127.0.0.1:0")))
        try setSendBuffer(byteCount: 65_536, on: socket.descriptor)
        try setReceiveBuffer(byteCount: 65_536, on: socket.descriptor)
        try setUserTimeout(30 * .second, on: socket.descriptor)
        #expect(socket.option(SO_SNDBUF, level: SOL_SOCKET) == 131_072)
        #expect(socket.option(SO_RCVBUF, level: SOL_SOCKET) == 131_072)
        #expect(socket.option(TCP_USER_TIMEOUT, level: Int32(IPPROTO_TCP)) == 30_000)
        #expect(throws: SystemError.self) { try setUserTimeout(.second, on: Descriptor(-1)) }
    }
}

@Suite final class UnixSocketTests {
    private let directory: URL
    private var path: String { directory.appending(path: "s").path }

    init() throws {
        directory = URL(filePath: "/tmp/apus-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: directory)
        } catch {
            Issue.record(error, "the test's directory stays behind")
        }
    }

    private func open() throws -> Listeners { try Listeners.open(at: SocketAddress(unixPath: path), count: 4) }

    private func exists() -> Bool { FileManager.default.fileExists(atPath: path) }

    /// A socket file on which nobody listens.
    private func leaveStaleSocket() throws {
        let listeners = try open()
        listeners.descriptors.forEach { close($0.number) }
        try #require(exists())
    }

    @Test func isASingleSocketForThisUserAlone() throws {
        let listeners = try open()
        defer { listeners.close() }
        #expect(listeners.descriptors.count == 1)
        #expect(listeners.address.description == "unix:\(path)")
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(attributes[.type] as? FileAttributeType == .typeSocket)
    }

    @Test func knowsWhoConnected() throws {
        let listeners = try open()
        defer { listeners.close() }
        let client = try OwnedSocket.connected(to: listeners.address)
        let server = try OwnedSocket.accepted(by: listeners.descriptors[0])
        let expected = PeerCredentials(pid: getpid(), uid: getuid(), gid: getgid())
        #expect(peerCredentials(of: server.descriptor) == expected)
        #expect(peerCredentials(of: client.descriptor) == expected)
        #expect(peerAddress(of: server.descriptor)?.unixPath == "")
    }

    @Test func closingRemovesThePath() throws {
        try open().close()
        #expect(!exists())
    }

    @Test func closingLeavesWhatIsNotOurs() throws {
        let listeners = try open()
        try FileManager.default.removeItem(atPath: path)
        let other = try open()
        listeners.close()
        #expect(exists())
        other.close()
        #expect(!exists())
    }

    @Test func replacesWhatACrashLeft() throws {
        try leaveStaleSocket()
        try open().close()
    }

    @Test func refusesALivePath() throws {
        let listeners = try open()
        defer { listeners.close() }
        expectSocketError(.bind, EADDRINUSE) { _ = try open() }
        #expect(exists())
        _ = try OwnedSocket.connected(to: listeners.address)
    }

    /// Its backlog is full, so it answers nobody; it lives all the same.
    @Test func refusesALivePathThatIsBusy() throws {
        let address = try SocketAddress(unixPath: path)
        let listener = OwnedSocket(try openListener(address, reusePort: false, backlog: 0))
        let waiting = try OwnedSocket.connected(to: address)
        expectSocketError(.bind, EADDRINUSE) { _ = try open() }
        withExtendedLifetime((listener, waiting)) {}
    }

    @Test func leavesAFileThatIsNoSocket() throws {
        try Data("precious".utf8).write(to: URL(filePath: path))
        expectSocketError(.bind, ENOTSOCK) { _ = try open() }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }

    @Test func leavesASymbolicLink() throws {
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/nowhere")
        expectSocketError(.bind, ENOTSOCK) { _ = try open() }
    }

    @Test func saysWhenTheDirectoryIsMissing() throws {
        let address = try SocketAddress(unixPath: directory.appending(path: "none/s").path)
        expectSocketError(.bind, ENOENT) { _ = try Listeners.open(at: address, count: 1) }
    }
}

@Suite struct SocketErrorTests {
    @Test(arguments: [
        (EADDRINUSE, "127.0.0.1:9000", "another port"), (EADDRINUSE, "unix:/s", "another path"),
        (EACCES, "127.0.0.1:80", "CAP_NET_BIND_SERVICE"), (EACCES, "unix:/s", "permissions"),
        (EADDRNOTAVAIL, "192.0.2.1:1", "no interface"), (ENOENT, "unix:/none/s", "create it"),
        (ENOTSOCK, "unix:/s", "left alone"), (EMFILE, "127.0.0.1:1", "nofile"), (EAFNOSUPPORT, "[::1]:1", "family"),
    ])
    func saysWhatToDo(_ errno: Int32, _ address: String, _ advice: String) throws {
        let error = SocketError(operation: .bind, address: try SocketAddress(parsing: address), errno: errno)
        #expect(error.description.hasPrefix("Cannot bind \(address): "))
        #expect(error.description.contains(advice))
    }
}

@Suite struct DescriptorLimitTests {
    @Test func softLimitBecomesTheHardOne() {
        let limit = raiseDescriptorLimit()
        var now = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &now)
        #expect(now.rlim_cur == now.rlim_max)
        #expect(limit == Int(clamping: now.rlim_cur))
    }
}
