// Which listener gets which socket of systemd's, and what is said when one does not fit.

import Glibc
import TestSupport
import Testing

@testable import apus

@Suite struct SocketActivationTests {
    private typealias Offer = SocketActivation.Offer

    private let edge = ListenerPlace(name: "edge", address: "127.0.0.1:9000")
    private let admin = ListenerPlace(name: "admin", address: "127.0.0.1:9600")

    private func parsed(
        _ count: String, names: String? = nil, process: String = "7"
    ) throws(ActivationError) -> [SocketActivation.Offer]? {
        var environment = ["LISTEN_PID": process, "LISTEN_FDS": count]
        environment["LISTEN_FDNAMES"] = names
        return try SocketActivation(environment: environment, processID: 7)?.offers
    }

    /// With descriptors of this test's own instead of 3, 4, …
    private func inheritance(
        _ sockets: [(name: String?, descriptor: Int32)], for places: ListenerPlace...
    ) throws(ActivationError) -> Inheritance {
        let offers = sockets.map { Offer(descriptor: $0.descriptor, name: $0.name) }
        return try SocketActivation(offers: offers).inheritance(for: places)
    }

    // MARK: The environment

    @Test func descriptorsCountFromThree() throws {
        #expect(try parsed("2") == [Offer(descriptor: 3, name: nil), Offer(descriptor: 4, name: nil)])
        let named = [("edge", 3), (nil, 4), (nil, 5)].map { Offer(descriptor: $1, name: $0) }
        #expect(try parsed("3", names: "edge:apus.socket:unknown") == named)
        #expect(try parsed("1", names: "") == [Offer(descriptor: 3, name: nil)])
    }

    @Test func whatIsForAnotherProcessIsNotOurs() throws {
        #expect(try parsed("1", process: "8") == nil)
        #expect(try parsed("1", process: "x") == nil)
        #expect(try parsed("0") == nil)
        #expect(try SocketActivation(environment: [:], processID: 7) == nil)
    }

    @Test func whatIsNoCountIsAnError() {
        for text in ["", "x", "-1", "1025"] {
            #expect(throws: ActivationError.badCount(text)) { try parsed(text) }
        }
        #expect(throws: ActivationError.badNames(3, of: 2)) { try parsed("2", names: "a:b:c") }
    }

    // MARK: Matching

    @Test func aNameFindsItsListener() throws {
        let folder = try TemporaryFolder()
        let path = "unix:" + folder.file("edge.sock")
        let (tcp, unix) = (try TestSocket.listening(), try TestSocket.listening(path))
        defer { [tcp, unix].forEach { close($0) } }
        let place = ListenerPlace(name: "edge", address: path)
        let found = try inheritance([("admin", tcp), ("edge", unix)], for: place, admin)
        #expect(found.descriptors == ["edge": [unix], "admin": [tcp]])
        #expect(found.activated == ["edge", "admin"])
        // The port is systemd's choice, and that is said.
        #expect(found.remarks.count == 1)
        #expect(found.remarks.first?.contains("listener admin") == true)
    }

    @Test func aSingleSocketNeedsNoName() throws {
        let socket = try TestSocket.listening()
        defer { close(socket) }
        #expect(try inheritance([(nil, socket)], for: edge).descriptors == ["edge": [socket]])
    }

    @Test func theAddressFindsTheListenerOfANamelessSocket() throws {
        let socket = try TestSocket.listening()
        defer { close(socket) }
        let address = try #require(ListenAddress(of: socket)).description
        let place = ListenerPlace(name: "web", address: address)
        let found = try inheritance([(nil, socket)], for: edge, place)
        #expect(found.descriptors == ["web": [socket]])
        #expect(found.remarks.isEmpty)
    }

    @Test func aListenerMayHaveSeveralSocketsOfOneAddress() throws {
        let socket = try TestSocket.listening()
        let copy = dup(socket)
        defer { [socket, copy].forEach { close($0) } }
        #expect(try inheritance([("edge", socket), ("edge", copy)], for: edge).descriptors == ["edge": [socket, copy]])
    }

    // MARK: What does not fit

    @Test func namesThatNobodyHasAreSaid() throws {
        let socket = try TestSocket.listening()
        defer { close(socket) }
        let error = #expect(throws: ActivationError.self) { try inheritance([("web", socket)], for: edge, admin) }
        #expect(error?.description.contains("(web): no listener has that name") == true)
        #expect(error?.description.contains("edge, admin") == true)
        let nameless = #expect(throws: ActivationError.self) { try inheritance([(nil, socket)], for: edge, admin) }
        #expect(nameless?.description.contains("has no name") == true)
    }

    @Test func twoAddressesAreNoListener() throws {
        let (one, other) = (try TestSocket.listening(), try TestSocket.listening())
        defer { [one, other].forEach { close($0) } }
        let both: [(name: String?, descriptor: Int32)] = [("edge", one), ("edge", other)]
        let error = #expect(throws: ActivationError.self) { try inheritance(both, for: edge) }
        #expect(error?.description.contains("give each address a listener") == true)
    }

    @Test func onlyListeningStreamsWillDo() throws {
        for (descriptor, reason) in [
            (TestSocket.unbound(), UnfitSocket.notListening), (TestSocket.datagram(), .notAStream),
            (TestSocket.file(), .notASocket), (-1, .notASocket),
        ] {
            let offer = Offer(descriptor: descriptor, name: "edge")
            #expect(throws: ActivationError.unfit(offer, reason)) {
                try inheritance([("edge", descriptor)], for: edge)
            }
            close(descriptor)
        }
    }
}
