// What an idle session takes, as the allocator counts it.

import ApusSecurity
import Foundation
import Glibc
import Testing

@Suite struct TLSMemoryTests {
    private static let sessionCount = 500
    /// Of all that one idle TLS 1.3 server session allocates, OpenSSL's part included.
    private static let byteCountMax = 14 << 10

    @Test(arguments: TLSVersion.allCases, [false, true])
    func idleServerSessions(version: TLSVersion, isMutual: Bool) throws {
        let identities = try TestIdentities.shared.get()
        let server = try serverContext {
            guard isMutual else { return }
            $0.clientVerification = .required
            $0.authorities = .pem(identities.authority.chain)
        }
        let client = try clientContext {
            $0.only(version)
            if isMutual { $0.use(identities.client) }
        }
        // What OpenSSL makes once only is made by the first.
        _ = try idleSession(client, server)
        var sessions: [IdleSession] = []
        sessions.reserveCapacity(TLSMemoryTests.sessionCount)
        let before = try allocatedByteCount()
        for _ in 0..<TLSMemoryTests.sessionCount { sessions.append(try idleSession(client, server)) }
        let perSession = (try allocatedByteCount() - before) / TLSMemoryTests.sessionCount
        print("idle \(version) server session, client certificate \(isMutual): \(perSession) bytes allocated")
        #expect(sessions.count == TLSMemoryTests.sessionCount)
        #expect(perSession > 1000)
        if version == .tls13, !isMutual { #expect(perSession <= TLSMemoryTests.byteCountMax) }
    }

    /// A server's session after one exchange, without the client and the test's buffers.
    private func idleSession(
        _ client: borrowing TLSContext, _ server: borrowing TLSContext
    ) throws -> IdleSession {
        let idle = IdleSession(try TLSSession(server))
        let pair = TLSPair(client: try TLSEnd(client), server: try TLSEnd(server))
        swap(&pair.server.session, &idle.session)
        pair.run()
        pair.exchange()
        swap(&pair.server.session, &idle.session)
        return idle
    }
}

private final class IdleSession {
    var session: TLSSession

    init(_ session: consuming TLSSession) { self.session = session }
}

/// Bytes that are allocated in the whole process. Swift sees neither mallinfo2 nor malloc_info, whose header its Glibc
/// leaves out; the latter can be called by its name: it writes XML.
private func allocatedByteCount() throws -> Int {
    typealias MallocInfo = @convention(c) (Int32, UnsafeMutablePointer<FILE>) -> Int32
    let mallocInfo = unsafeBitCast(try #require(dlsym(nil, "malloc_info")), to: MallocInfo.self)
    var (start, count): (UnsafeMutablePointer<CChar>?, Int) = (nil, 0)
    let stream = try #require(open_memstream(&start, &count))
    #expect(mallocInfo(0, stream) == 0)
    fclose(stream)
    defer { free(start) }
    // The totals of all arenas follow the last one.
    let text = String(cString: try #require(start)).components(separatedBy: "</heap>").last ?? ""
    return try size(of: "system type=\"current\"", in: text) - size(of: "total type=\"fast\"", in: text)
        - size(of: "total type=\"rest\"", in: text) + size(of: "total type=\"mmap\"", in: text)
}

private func size(of element: String, in text: String) throws -> Int {
    let line = text.split(separator: "\n").first { $0.hasPrefix("<\(element)") }
    let digits = line?.components(separatedBy: "size=\"").last?.prefix { $0.isNumber }
    return try #require(digits.flatMap { Int($0) }, "no \(element) in \(text)")
}
