// The sockets that systemd made (sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and which listener each
// is for. It reads an environment that it is given and the descriptors it names.

import Glibc

struct SocketActivation {
    /// The first is number 3, and so on upwards.
    static let firstDescriptor: Int32 = 3
    static let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]

    struct Offer: Equatable, Sendable {
        let descriptor: Int32
        /// Nil when nobody has chosen one.
        let name: String?
    }

    let offers: [Offer]

    init(offers: [Offer]) { self.offers = offers }

    /// - Returns: nil when there are none for this process.
    init?(environment: [String: String], processID: Int32) throws(ActivationError) {
        guard let process = environment["LISTEN_PID"], Int32(process) == processID,
            let text = environment["LISTEN_FDS"]
        else { return nil }
        guard let count = Int32(text), (0...1024).contains(count) else { throw .badCount(text) }
        guard count > 0 else { return nil }
        let names = environment["LISTEN_FDNAMES"]?.split(separator: ":", omittingEmptySubsequences: false)
        if let names, names.count != Int(count) { throw .badNames(names.count, of: Int(count)) }
        offers = (0..<count).map { index in
            let name = names.flatMap { SocketActivation.chosen(String($0[Int(index)])) }
            return Offer(descriptor: SocketActivation.firstDescriptor + index, name: name)
        }
    }

    /// Without FileDescriptorName= systemd says the unit's name, or `unknown`.
    private static func chosen(_ name: String) -> String? {
        name.isEmpty || name == "unknown" || name.hasSuffix(".socket") ? nil : name
    }

    /// They are meant for this process alone: a child must not take them for its own.
    static func clearEnvironment() { variables.forEach { unsetenv($0) } }

    /// Look at each socket and find its listener: by name, or else by address, or because there is only one of each.
    func inheritance(for places: [ListenerPlace]) throws(ActivationError) -> Inheritance {
        var inheritance = Inheritance()
        for offer in offers {
            let socket: InheritedSocket
            do throws(UnfitSocket) {
                socket = try InheritedSocket(offer.descriptor)
            } catch {
                throw .unfit(offer, error)
            }
            let place = try place(for: offer, socket, among: places)
            try inheritance.add(socket, to: place)
        }
        return inheritance
    }

    private func place(
        for offer: Offer, _ socket: InheritedSocket, among places: [ListenerPlace]
    ) throws(ActivationError) -> ListenerPlace {
        if let name = offer.name {
            guard let place = places.first(where: { $0.name == name }) else {
                throw .unknownListener(offer, known: places.map(\.name))
            }
            return place
        }
        let fitting = places.first { ListenAddress($0.address).map(socket.address.serves) ?? false }
        if let fitting { return fitting }
        guard offers.count == 1, places.count == 1 else { throw .nameless(offer, socket.address, places.map(\.name)) }
        return places[0]
    }
}

extension Inheritance {
    fileprivate mutating func add(_ socket: InheritedSocket, to place: ListenerPlace) throws(ActivationError) {
        if let other = descriptors[place.name]?.first.flatMap(ListenAddress.init(of:)), other != socket.address {
            throw .twoAddresses(listener: place.name, other, socket.address)
        }
        descriptors[place.name, default: []].append(socket.descriptor)
        activated.insert(place.name)
        guard let wanted = ListenAddress(place.address), !socket.address.serves(wanted) else { return }
        remarks.append(
            "listener \(place.name): systemd listens on \(socket.address), and that holds; the configuration says "
                + place.address)
    }
}

/// What is wrong with the sockets that systemd passed, and what to change.
enum ActivationError: Error, Equatable, CustomStringConvertible {
    case badCount(String)
    case badNames(Int, of: Int)
    case unfit(SocketActivation.Offer, UnfitSocket)
    case unknownListener(SocketActivation.Offer, known: [String])
    case nameless(SocketActivation.Offer, ListenAddress, [String])
    case twoAddresses(listener: String, ListenAddress, ListenAddress)

    var description: String { "socket activation: \(complaint)" }

    private var complaint: String {
        switch self {
        case .badCount(let text): "LISTEN_FDS=\(text) is no count of descriptors"
        case .badNames(let count, let all): "LISTEN_FDNAMES has \(count) names for \(all) descriptors"
        case .unfit(let offer, let reason): "descriptor \(offer.descriptor)\(offer.label) \(reason)"
        case .unknownListener(let offer, let known):
            "descriptor \(offer.descriptor)\(offer.label): no listener has that name; set FileDescriptorName= in the "
                + ".socket unit to one of: \(known.joined(separator: ", "))"
        case .nameless(let offer, let address, let known):
            "descriptor \(offer.descriptor) (\(address)) has no name, and no listener has its address; set "
                + "FileDescriptorName= in the .socket unit to one of: \(known.joined(separator: ", "))"
        case .twoAddresses(let listener, let first, let second):
            "listener \(listener) has sockets on \(first) and \(second); give each address a listener, and a "
                + ".socket unit with its own FileDescriptorName="
        }
    }
}

extension SocketActivation.Offer {
    fileprivate var label: String { name.map { " (\($0))" } ?? "" }
}
