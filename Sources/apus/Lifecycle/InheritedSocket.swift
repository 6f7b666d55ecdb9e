// A listening socket that somebody else has made: systemd, or the server before this one. What it is, and whether a
// server can use it. It decides nothing about who gets it.

import ApusServer
import Glibc

struct InheritedSocket: Equatable, Sendable {
    let descriptor: Int32
    let address: ListenAddress

    /// Look at a descriptor that was handed to this process. It stays as it is: the server that gets it sets it up.
    init(_ descriptor: Int32) throws(UnfitSocket) {
        guard InheritedSocket.option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue) else {
            throw InheritedSocket.option(SO_TYPE, of: descriptor) == nil ? .notASocket : .notAStream
        }
        guard InheritedSocket.option(SO_ACCEPTCONN, of: descriptor) == 1 else { throw .notListening }
        guard let address = ListenAddress(of: descriptor) else { throw .unknownFamily }
        self.descriptor = descriptor
        self.address = address
    }

    private static func option(_ option: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var byteCount = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, option, &value, &byteCount) == 0 ? value : nil
    }
}

/// Why a descriptor is of no use to a listener; reads after "descriptor 3".
enum UnfitSocket: Error, Equatable, CustomStringConvertible {
    case notASocket, notAStream, notListening, unknownFamily

    var description: String {
        switch self {
        case .notASocket: "is no socket"
        case .notAStream: "is no stream socket: use ListenStream="
        case .notListening: "does not listen: use Accept=no, so that the server accepts itself"
        case .unknownFamily: "is neither IPv4, IPv6 nor UNIX"
        }
    }
}

/// A listener of the configuration, as far as this concerns it.
struct ListenerPlace: Equatable, Sendable {
    let name: String
    /// As it was configured.
    let address: String
}

/// Which listener goes on with which sockets.
struct Inheritance: Sendable {
    /// By the listener's name; who is absent binds.
    var descriptors: [String: [Int32]] = [:]
    /// The listeners whose addresses systemd chose: they hold, whatever the configuration says.
    var activated: Set<String> = []
    /// What an operator should know about it.
    var remarks: [String] = []

    /// When nobody takes them over.
    func closeAll() { descriptors.values.joined().forEach { close($0) } }
}

extension ServerConfiguration {
    /// Before the start: listeners that go on with sockets they are given do not bind.
    mutating func inherit(_ inheritance: Inheritance) {
        for index in listeners.indices {
            listeners[index].inherited = inheritance.descriptors[listeners[index].name] ?? []
        }
        keepPaths(of: inheritance)
    }

    /// Before a reload too: what systemd made stays. The sockets are the server's since the start, and their numbers
    /// may be anything by now.
    mutating func keepPaths(of inheritance: Inheritance) {
        for index in listeners.indices where inheritance.activated.contains(listeners[index].name) {
            listeners[index].keepsPath = true
        }
    }
}
