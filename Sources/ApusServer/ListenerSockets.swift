// The listening sockets of a server: bound before any shard runs, so that a port in use is an error of `start`.

import ApusReactor

struct ListenerSockets: Sendable {
    private struct Bound: Sendable {
        let listeners: Listeners
        let session: SessionKind
    }

    private var bound: [Bound] = []

    init(_ configuration: ServerConfiguration) throws(ServerError) {
        for listener in configuration.listeners {
            do {
                let address = try SocketAddress(parsing: listener.address)
                let listeners = try Listeners.open(at: address, count: configuration.shards)
                bound.append(Bound(listeners: listeners, session: listener.session))
            } catch let error as AddressError {
                close()
                throw .invalidConfiguration(["listener \(listener.name): \(error)"])
            } catch {
                close()
                throw .cannotBind("listener \(listener.name): \(error)")
            }
        }
    }

    /// `HOST:PORT`, the port as bound, or `unix:PATH`, in the order of the configuration.
    var addresses: [String] { bound.map(\.listeners.address.description) }

    /// What observers are told of them.
    func records(_ configuration: ServerConfiguration) -> [ListenerRecord] {
        zip(configuration.listeners, addresses).enumerated().map { place, listener in
            ListenerRecord(listener.0, address: listener.1, place: UInt8(place))
        }
    }

    /// What this shard accepts on. Where the kernel cannot spread accepts there is one socket: it belongs to the first
    /// shard, which shares out what it accepts.
    func listeners(of shard: Int) -> [ShardListener] {
        bound.map { bound in
            let descriptors = bound.listeners.descriptors
            let isSingle = descriptors.count == 1
            guard !isSingle || shard == 0 else { return .none(session: bound.session) }
            return ShardListener(descriptors[isSingle ? 0 : shard], session: bound.session, sharesOut: isSingle)
        }
    }

    /// Close everything; only while no shard has taken the descriptors over.
    func close() { bound.forEach { $0.listeners.close() } }

    /// Take the UNIX sockets' names out of the file system, where they are still ours.
    func removeFiles() { bound.forEach { $0.listeners.removeFile() } }
}
