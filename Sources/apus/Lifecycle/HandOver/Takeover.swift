// The side of a hand-over that takes: ask the server before this one for its listening sockets, use those that the
// configuration names, and say when this process serves. It starts no server.

import Glibc

/// Where the server before this one is asked.
enum TakeoverSource: Equatable, Sendable {
    /// Its upgrade socket.
    case path(String)
    /// A connection to it, inherited from it.
    case descriptor(Int32)

    /// Names the inherited connection.
    static let variable = "APUS_UPGRADE_DESCRIPTOR"

    /// What the environment says comes first: who was started by its predecessor belongs to it.
    init?(path: String?, environment: [String: String]) {
        if let descriptor = environment[TakeoverSource.variable].flatMap(Int32.init) {
            self = .descriptor(descriptor)
        } else if let path {
            self = .path(path)
        } else {
            return nil
        }
    }
}

struct Takeover: Sendable {
    /// For the other side's answers, which take it no time.
    private static let patience = Duration.seconds(10)

    private let channel: HandOverChannel

    /// Connect, and make sure of who answers: whoever passes descriptors here says where this server listens.
    init(from source: TakeoverSource) throws(HandOverError) {
        switch source {
        case .path(let path): channel = try HandOverChannel.connect(to: path)
        case .descriptor(let number):
            guard fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else {
                throw .system("\(TakeoverSource.variable)=\(number): there is no such descriptor")
            }
            channel = HandOverChannel(number)
        }
        guard let user = channel.peerUserID, user == geteuid() || user == 0 else {
            throw .system("the process that answers belongs to another user")
        }
    }

    /// Ask for the sockets and find the listener of each.
    func takeListeners(for places: [ListenerPlace], processID: Int32, program: String) throws -> Inheritance {
        try channel.send(.take(processID: processID, program: program), by: Deadline(after: Takeover.patience))
        var inheritance = Inheritance()
        do {
            while let offer = try nextListener() { try inheritance.add(offer.listener, offer.descriptors, places) }
        } catch {
            inheritance.closeAll()
            throw error
        }
        return inheritance
    }

    /// Nil: that was all.
    private func nextListener() throws(HandOverError) -> (listener: HandOverListener, descriptors: [Int32])? {
        let (message, descriptors) = try channel.receive(by: Deadline(after: Takeover.patience))
        switch message {
        case .listener(let listener) where listener.descriptorCount == descriptors.count:
            return (listener, descriptors)
        case .end:
            return nil
        case .listener, .take, .upgrade, .ready, .released, .refused, .failed, .outcome:
            descriptors.forEach { close($0) }
            throw Takeover.error(for: message, descriptors.count)
        }
    }

    private static func error(for message: HandOverMessage, _ found: Int) -> HandOverError {
        switch message {
        case .refused(let reason): .system(reason)
        case .listener(let listener):
            .violation(.descriptors(announced: listener.descriptorCount, found: found))
        case .take, .upgrade, .end, .ready, .released, .failed, .outcome: .violation(.unexpected)
        }
    }

    /// Say that this process serves, and wait for the other to let go. When it is gone by then, that is as good; when
    /// it says no, it goes on serving and this process must not.
    func finish(processID: Int32) throws(HandOverError) {
        do throws(HandOverError) {
            try channel.send(.ready(processID: processID), by: Deadline(after: Takeover.patience))
            let (message, descriptors) = try channel.receive(by: Deadline(after: Takeover.patience))
            descriptors.forEach { close($0) }
            guard message == .released else { throw Takeover.error(for: message, descriptors.count) }
        } catch {
            guard case .ended = error else { throw error }
        }
    }

    /// Tell the other side why it has to go on.
    func fail(because reason: String) { channel.sendLast(.failed(reason: reason)) }
}

extension Inheritance {
    /// What the configuration does not name, or wants elsewhere, is closed here: the other side still has it.
    fileprivate mutating func add(
        _ listener: HandOverListener, _ sockets: [Int32], _ places: [ListenerPlace]
    ) throws(HandOverError) {
        guard let place = places.first(where: { $0.name == listener.name }) else {
            return leave(
                sockets,
                "listener \(listener.name) (\(listener.address)): this configuration has none of that name; it ends "
                    + "with the server before")
        }
        for descriptor in sockets {
            let socket: InheritedSocket
            do throws(UnfitSocket) {
                socket = try InheritedSocket(descriptor)
            } catch {
                throw .system("listener \(listener.name): the descriptor that came \(error)")
            }
            guard listener.isActivated || ListenAddress(place.address).map(socket.address.serves) ?? false else {
                return leave(sockets, "listener \(place.name): it moves from \(socket.address) to \(place.address)")
            }
        }
        descriptors[place.name, default: []] += sockets
        if listener.isActivated { activated.insert(place.name) }
    }

    private mutating func leave(_ sockets: [Int32], _ remark: String) {
        sockets.forEach { close($0) }
        remarks.append(remark)
    }
}
