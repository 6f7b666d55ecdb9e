// Where a running server is asked for its sockets, or to start its successor: a UNIX socket of its own, for this user
// only, served by one thread with blocking calls. A ring never sees it.

import Foundation
import Glibc
import Synchronization

/// Whether a server listens for upgrades, and where.
enum UpgradeSocketPlace: Equatable, Sendable {
    /// `standardPath`, when its folder exists; otherwise nowhere, without a word.
    case standard
    case path(String)
    case none

    static let standardPath = "/run/apus/upgrade.sock"

    /// Nil: nowhere.
    var path: String? {
        switch self {
        case .standard: access((UpgradeSocketPlace.standardPath as NSString).deletingLastPathComponent, W_OK) == 0
            ? UpgradeSocketPlace.standardPath : nil
        case .path(let path): path
        case .none: nil
        }
    }
}

final class UpgradeSocket: Sendable {
    /// A peer that says nothing keeps the others waiting for so long.
    private static let firstMessagePatience = Duration.seconds(5)

    /// What is done for who asks. Called on the socket's thread, one at a time.
    struct Services: Sendable {
        /// Hand over to the process at the other end.
        let handOver: @Sendable (HandOverChannel) -> Void
        /// Start a successor.
        let upgrade: @Sendable (_ answer: (UpgradeOutcome) -> Void) -> Void
        let log: @Sendable (String) -> Void
    }

    let path: String
    private let descriptor: Int32
    private let identity: FileIdentity?
    private let isClosed = Atomic(false)

    /// Listen. A socket that a crashed server left behind makes way; a living one does not.
    init(at path: String) throws(HandOverError) {
        guard !path.hasPrefix("@"), let address = UnixAddress(path) else {
            throw .system("\(path) cannot be the path of a socket: at most 107 bytes, and no @")
        }
        try UpgradeSocket.clearStale(path, address)
        // Not blocking: a peer may have gone between the news that it is there and its being accepted.
        let number = socket(AF_UNIX, HandOverChannel.kind | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { throw .system("cannot open a socket: \(systemErrorText())") }
        // The file is born with the socket's mode, less the umask: there is no moment in which others could connect.
        guard fchmod(number, 0o600) == 0, address.withSockaddr({ bind(number, $0, $1) }) == 0, listen(number, 8) == 0
        else {
            let reason = systemErrorText()
            Glibc.close(number)
            throw .system("cannot listen on \(path): \(reason)")
        }
        self.path = path
        descriptor = number
        identity = FileIdentity(of: path)
    }

    private static func clearStale(_ path: String, _ address: UnixAddress) throws(HandOverError) {
        guard let identity = FileIdentity(of: path) else { return }
        guard identity.isSocket else { throw .system("\(path) is a file that is no socket, and is left alone") }
        let probe = socket(AF_UNIX, HandOverChannel.kind | Int32(SOCK_NONBLOCK.rawValue), 0)
        defer { Glibc.close(probe) }
        let answered = address.withSockaddr { connect(probe, $0, $1) } == 0
        guard !answered, errno == ECONNREFUSED else { throw .system("a server answers on \(path)") }
        unlink(path)
    }

    // MARK: Serving

    func serve(_ services: Services) {
        Thread.detachNewThread {
            while !self.isClosed.load(ordering: .acquiring) {
                if let channel = self.accept() { UpgradeSocket.answer(channel, services) }
            }
            Glibc.close(self.descriptor)
        }
    }

    /// Nil: nobody came, or not for long.
    private func accept() -> HandOverChannel? {
        let pauseMicroseconds: UInt32 = 100_000
        var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&interest, 1, -1) > 0, !isClosed.load(ordering: .acquiring) else { return nil }
        let number = Successor.births.withLock { _ in
            let number = Glibc.accept(descriptor, nil, nil)
            if number >= 0 { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
            return number
        }
        guard number < 0 else { return HandOverChannel(number) }
        // Without descriptors left, accepting fails at once, again and again.
        usleep(pauseMicroseconds)
        return nil
    }

    private static func answer(_ channel: HandOverChannel, _ services: Services) {
        do throws(HandOverError) {
            let (message, descriptors) = try channel.receive(by: Deadline(after: firstMessagePatience))
            descriptors.forEach { Glibc.close($0) }
            if let reason = refusal(of: message, from: channel.peerUserID, own: geteuid()) {
                services.log("upgrade refused: \(reason)")
                return try channel.send(.refused(reason: reason), by: Deadline(after: .seconds(1)))
            }
            if case .take = message { return services.handOver(channel) }
            services.upgrade { channel.sendLast(.outcome(succeeded: $0.isDone, text: $0.text)) }
        } catch {
            services.log("upgrade socket: \(error)")
        }
    }

    /// The file's mode keeps others out already; the kernel's word on who connected does not depend on a mode.
    /// - Returns: nil for what may be asked. The superuser may ask for an upgrade, as by `sudo`, and not for the
    ///   sockets: they would go on in a server of another user.
    static func refusal(of message: HandOverMessage, from user: uid_t?, own: uid_t) -> String? {
        switch message {
        case .take where user == own: nil
        case .upgrade where user == own || user == 0: nil
        case .take, .upgrade:
            "the process that asks belongs to user \(user.map(String.init) ?? "unknown"), and this server to \(own)"
        case .listener, .end, .ready, .released, .refused, .failed, .outcome: "a message came out of order"
        }
    }

    // MARK: Ending

    /// Stop listening and remove the path, if it is still ours. To be called once or more, from any thread.
    func close() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        // While the socket is open no other file can have its inode.
        if let identity, FileIdentity(of: path) == identity { unlink(path) }
        // Wakes the thread, which closes the descriptor.
        shutdown(descriptor, Int32(SHUT_RDWR))
    }
}

/// Which file a path leads to.
private struct FileIdentity: Equatable {
    let device: UInt64
    let inode: UInt64
    let isSocket: Bool

    /// Nil when there is none.
    init?(of path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        isSocket = status.st_mode & S_IFMT == S_IFSOCK
    }
}
