// Beginning again by a ticket: across shards, across rotations, and not where the rules have changed.

import ApusSecurity
import Testing

@Suite struct TLSResumptionTests {
    /// One connection, used and closed; what the client keeps of it, and whether it was resumed itself.
    private func connect(
        _ client: borrowing TLSContext, _ server: borrowing TLSContext, _ resumption: TLSResumption? = nil
    ) throws -> (kept: TLSResumption?, isResumed: Bool) {
        let pair = TLSPair(client: try TLSEnd(client, resuming: resumption), server: try TLSEnd(server))
        pair.run()
        pair.exchange()
        #expect(pair.client.isResumed == pair.server.isResumed)
        #expect(pair.client.session.peerCertificate?.subject == "CN=server,O=Apus tests")
        pair.client.close()
        pair.server.close()
        pair.run()
        return (pair.client.session.resumption(), pair.client.isResumed)
    }

    @Test(arguments: TLSVersion.allCases)
    func acrossShards(version: TLSVersion) throws {
        let tickets = TicketKeys(nowSeconds: 0)
        let one = try serverContext(tickets: tickets)
        let other = try serverContext(tickets: tickets)
        let client = try clientContext { $0.only(version) }
        let first = try connect(client, one)
        #expect(!first.isResumed)
        let second = try connect(client, one, first.kept)
        #expect(second.isResumed)
        let third = try connect(client, other, second.kept)
        #expect(third.isResumed)
        // A ticket may be shown again, and one of another process opens nothing.
        #expect(try connect(client, other, first.kept).isResumed)
        let stranger = try serverContext()
        #expect(try !connect(client, stranger, third.kept).isResumed)
    }

    @Test(arguments: TLSVersion.allCases)
    func afterRotation(version: TLSVersion) throws {
        let tickets = TicketKeys(rotationSeconds: 100, nowSeconds: 1000)
        #expect(tickets.lifetimeSeconds == 200)
        let server = try serverContext(tickets: tickets)
        let client = try clientContext { $0.only(version) }
        let first = try connect(client, server).kept
        tickets.advance(to: 1099)
        tickets.advance(to: 1100)
        let renewed = try connect(client, server, first)
        #expect(renewed.isResumed)
        tickets.advance(to: 1299)
        #expect(try connect(client, server, first).isResumed)
        tickets.advance(to: 1300)
        #expect(try !connect(client, server, first).isResumed)
        // The ticket that was given when the first one was shown is of a later key.
        #expect(try connect(client, server, renewed.kept).isResumed)
        tickets.rotate()
        tickets.rotate()
        tickets.rotate()
        #expect(try !connect(client, server, renewed.kept).isResumed)
    }

    @Test func aLongPauseEndsAllTickets() throws {
        let tickets = TicketKeys(rotationSeconds: 100, nowSeconds: 0)
        let server = try serverContext(tickets: tickets)
        let client = try clientContext()
        let kept = try connect(client, server).kept
        tickets.advance(to: 1_000_000)
        #expect(try !connect(client, server, kept).isResumed)
        tickets.advance(to: 5)  // A clock that goes back changes nothing.
        #expect(try connect(client, server, connect(client, server).kept).isResumed)
    }

    @Test(arguments: TLSVersion.allCases)
    func whereItIsOff(version: TLSVersion) throws {
        let tickets = TicketKeys(nowSeconds: 0)
        let on = try serverContext(tickets: tickets)
        let off = try serverContext(tickets: tickets) { $0.resumes = false }
        let client = try clientContext { $0.only(version) }
        #expect(try connect(client, off).kept == nil)
        let kept = try connect(client, on).kept
        #expect(kept != nil)
        #expect(try !connect(client, off, kept).isResumed)
        let forgetful = try clientContext {
            $0.only(version)
            $0.resumes = false
        }
        #expect(try connect(forgetful, on).kept == nil)
        #expect(try !connect(forgetful, on, kept).isResumed)
    }

    /// A ticket stands for a verification, so other rules mean a new one; a renewed certificate does not.
    @Test(arguments: TLSVersion.allCases)
    func notByOtherRules(version: TLSVersion) throws {
        let identities = try TestIdentities.shared.get()
        let tickets = TicketKeys(nowSeconds: 0)
        func server(_ authority: TestIdentity?) throws -> TLSContext {
            try serverContext(tickets: tickets) {
                guard let authority else { return }
                $0.clientVerification = .optional
                $0.authorities = .pem(authority.chain)
            }
        }
        let client = try clientContext { $0.only(version) }
        let kept = try connect(client, try server(identities.authority)).kept
        #expect(try connect(client, try server(identities.authority), kept).isResumed)
        #expect(try !connect(client, try server(identities.foreignAuthority), kept).isResumed)
        #expect(try !connect(client, try server(nil), kept).isResumed)

        // The client's own rules: another name, or another pin, and the session is not offered.
        let pin = try CertificatePin(of: identities.server)
        let pinning = try clientContext {
            $0.only(version)
            $0.pins = [pin]
        }
        #expect(try !connect(pinning, try server(identities.authority), kept).isResumed)
        let renamed = try clientContext {
            $0.only(version)
            $0.serverName = "127.0.0.1"
        }
        #expect(try !connect(renamed, try server(identities.authority), kept).isResumed)
    }

    @Test(arguments: TLSVersion.allCases)
    func theClientsCertificateIsRemembered(version: TLSVersion) throws {
        let identities = try TestIdentities.shared.get()
        let server = try serverContext {
            $0.clientVerification = .required
            $0.authorities = .pem(identities.authority.chain)
        }
        let client = try clientContext {
            $0.only(version)
            $0.use(identities.client)
        }
        let kept = try connect(client, server).kept
        let pair = TLSPair(client: try TLSEnd(client, resuming: kept), server: try TLSEnd(server))
        pair.run()
        pair.exchange()
        #expect(pair.server.isResumed)
        #expect(pair.server.session.peerCertificate?.subject == "CN=client,O=Apus tests")
    }

    /// A forged or damaged ticket is a full handshake, not a failure.
    @Test func ticketsCannotBeForged() throws {
        let server = try serverContext()
        let client = try clientContext { $0.only(.tls12) }
        let kept = try connect(client, server).kept
        let pair = TLSPair(client: try TLSEnd(client, resuming: kept), server: try TLSEnd(server))
        _ = pair.client.turn()
        // The ticket, some 180 bytes of it, makes up most of this hello; its middle is damaged.
        var hello = pair.client.outbound
        hello[hello.count / 2] ^= 1
        pair.server.inbound = hello
        _ = pair.server.turn()
        #expect(!pair.server.isResumed)
    }

    @Test(arguments: [0, 1, 3])
    func asManyTicketsAsConfigured(count: Int) throws {
        let context = try serverContext { $0.ticketCount = count }
        let pair = TLSPair(client: try TLSEnd(clientContext()), server: try TLSEnd(context))
        _ = pair.client.turn()
        pair.carry(pair.client, to: pair.server)
        _ = pair.server.turn()
        pair.carry(pair.server, to: pair.client)
        _ = pair.client.turn()
        pair.carry(pair.client, to: pair.server)
        _ = pair.server.turn()
        #expect(recordCount(pair.server.outbound) == count)
        pair.run()
        #expect((pair.client.session.resumption() != nil) == (count > 0))
    }
}

/// Whole records in `bytes`.
func recordCount(_ bytes: [UInt8]) -> Int {
    var (count, offset) = (0, 0)
    while offset + 5 <= bytes.count {
        offset += 5 + Int(bytes[offset + 3]) << 8 + Int(bytes[offset + 4])
        count += 1
    }
    #expect(offset == bytes.count)
    return count
}
