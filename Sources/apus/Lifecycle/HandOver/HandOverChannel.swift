// A connected UNIX socket between two servers: whole messages, and descriptors beside them (SCM_RIGHTS). Blocking, each
// wait with a deadline; never a ring's, since descriptors that come with a multishot receive are lost.

import Glibc
import Synchronization

/// Why two servers could not go on talking.
enum HandOverError: Error, CustomStringConvertible {
    /// The other end has closed, or is dead.
    case ended
    case timedOut
    case violation(HandOverViolation)
    case system(String)

    var description: String {
        switch self {
        case .ended: "the other process is gone"
        case .timedOut: "the other process did not answer in time"
        case .violation(let violation): "\(violation)"
        case .system(let text): text
        }
    }
}

/// A moment at which waiting ends.
struct Deadline: Sendable {
    private let end: ContinuousClock.Instant

    init(after duration: Duration) { end = .now + duration }

    /// For `poll`; never negative.
    var milliseconds: Int32 { Int32(clamping: max(0, Int64(((end - .now) / .milliseconds(1)).rounded(.up)))) }
}

final class HandOverChannel: Sendable {
    /// The kernel passes at most 253 with one message (SCM_MAX_FD).
    static let descriptorsAtOnceMax = 253

    let descriptor: Int32
    private let isClosed = Atomic(false)

    /// - Parameter descriptor: a connected UNIX stream socket; the channel closes it.
    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// Before its time: nobody may be sending or receiving.
    func close() {
        if !isClosed.exchange(true, ordering: .relaxed) { Glibc.close(descriptor) }
    }

    // MARK: Opening

    /// Both ends, for a child to inherit one of them. They close on `exec`.
    static func pair() throws(HandOverError) -> (HandOverChannel, HandOverChannel) {
        var descriptors: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, kind, 0, &descriptors) == 0 else {
            throw .system("cannot make a pair of sockets: \(systemErrorText())")
        }
        return (HandOverChannel(descriptors[0]), HandOverChannel(descriptors[1]))
    }

    static func connect(to path: String) throws(HandOverError) -> HandOverChannel {
        guard let address = UnixAddress(path) else { throw .system("\(path) cannot be the path of a socket") }
        let number = socket(AF_UNIX, kind, 0)
        guard number >= 0 else { throw .system("cannot open a socket: \(systemErrorText())") }
        let channel = HandOverChannel(number)
        guard address.withSockaddr({ Glibc.connect(number, $0, $1) }) == 0 else {
            throw .system("cannot connect to \(path): \(systemErrorText())")
        }
        return channel
    }

    static let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// Who made the other end: the kernel knows (SO_PEERCRED, unix(7)).
    var peerUserID: uid_t? {
        // The kernel's `struct ucred`: pid, uid, gid.
        var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, 0, 0)
        var byteCount = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &byteCount) == 0 else { return nil }
        return credentials.uid
    }

    /// The other end has closed and nothing of it is unread.
    var isEnded: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 0
    }

    // MARK: Sending

    /// - Parameter descriptors: copies of them arrive with the message; the caller's stay its own.
    func send(
        _ message: HandOverMessage, with descriptors: [Int32] = [], by deadline: Deadline
    ) throws(HandOverError) {
        precondition(descriptors.count <= HandOverChannel.descriptorsAtOnceMax, "too many descriptors at once")
        let bytes = message.encoded()
        var sent = 0
        while sent < bytes.count {
            try wait(for: POLLOUT, by: deadline)
            // The descriptors go with the first byte.
            let count = sendSome(bytes[sent...], sent == 0 ? descriptors : [])
            guard count >= 0 || errno == EAGAIN || errno == EINTR else { throw HandOverChannel.failure("send to") }
            sent += max(count, 0)
        }
    }

    /// A last word, for what it is worth: whoever is gone finds out without it.
    func sendLast(_ message: HandOverMessage) {
        do throws(HandOverError) {
            try send(message, by: Deadline(after: .seconds(1)))
        } catch {
            // Its end closes, and that says the same.
        }
    }

    private func sendSome(_ bytes: ArraySlice<UInt8>, _ descriptors: [Int32]) -> Int {
        var control = DescriptorRights.encode(descriptors)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        // All pointers are used inside the closures only.
        return bytes.withUnsafeBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: .init(mutating: bytes.baseAddress), iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    if !descriptors.isEmpty {
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                    }
                    return sendmsg(descriptor, &message, flags)
                }
            }
        }
    }

    // MARK: Receiving

    /// The next message, and the descriptors that came with it: the caller's from now on.
    func receive(by deadline: Deadline) throws(HandOverError) -> (message: HandOverMessage, descriptors: [Int32]) {
        var descriptors: [Int32] = []
        do {
            let message = try receive(&descriptors, by: deadline)
            return (message, descriptors)
        } catch {
            descriptors.forEach { Glibc.close($0) }
            throw error
        }
    }

    private func receive(
        _ descriptors: inout [Int32], by deadline: Deadline
    ) throws(HandOverError) -> HandOverMessage {
        let length = try receive(HandOverMessage.lengthByteCount, &descriptors, by: deadline)
        let count = try checked { () throws(HandOverViolation) in try HandOverMessage.bodyByteCount(length) }
        let body = try receive(count, &descriptors, by: deadline)
        return try checked { () throws(HandOverViolation) in try HandOverMessage(decoding: body) }
    }

    private func checked<Result>(
        _ decode: () throws(HandOverViolation) -> Result
    ) throws(HandOverError) -> Result {
        do throws(HandOverViolation) { return try decode() } catch { throw .violation(error) }
    }

    private func receive(
        _ count: Int, _ descriptors: inout [Int32], by deadline: Deadline
    ) throws(HandOverError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            try wait(for: POLLIN, by: deadline)
            let some = receiveSome(count - bytes.count, &descriptors)
            guard let some else {
                if errno == EAGAIN || errno == EINTR { continue }
                throw HandOverChannel.failure("receive from")
            }
            guard !some.isEmpty else { throw .ended }
            bytes += some
        }
        return bytes
    }

    /// Nil when the system call failed.
    private func receiveSome(_ countMax: Int, _ descriptors: inout [Int32]) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: countMax)
        var control = DescriptorRights.room(for: HandOverChannel.descriptorsAtOnceMax)
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_CMSG_CLOEXEC)
        // All pointers are used inside the closures only.
        let (count, controlCount) = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    return (recvmsg(descriptor, &message, flags), message.msg_controllen)
                }
            }
        }
        guard count >= 0 else { return nil }
        descriptors += DescriptorRights.decode(Array(control.prefix(controlCount)))
        return Array(bytes.prefix(count))
    }

    private func wait(for events: Int32, by deadline: Deadline) throws(HandOverError) {
        var interest = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let ready = poll(&interest, 1, deadline.milliseconds)
            if ready > 0 { return }
            guard ready == 0 || errno == EINTR else { throw HandOverChannel.failure("wait for") }
            if ready == 0 { throw .timedOut }
        }
    }

    private static func failure(_ attempt: String) -> HandOverError {
        switch errno {
        case EPIPE, ECONNRESET: .ended
        default: .system("cannot \(attempt) the other process: \(systemErrorText())")
        }
    }
}

/// Descriptors as control messages (cmsg(3)), whose macros Swift cannot call.
enum DescriptorRights {
    /// `cmsg_len`, eight bytes, then level and type, four each.
    private static let headerByteCount = 16

    static func room(for count: Int) -> [UInt8] { [UInt8](repeating: 0, count: space(for: count)) }

    static func encode(_ descriptors: [Int32]) -> [UInt8] {
        guard !descriptors.isEmpty else { return [] }
        var bytes = room(for: descriptors.count)
        // Offsets stay within `room`, which has one word for each descriptor behind the header.
        bytes.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: headerByteCount + 4 * descriptors.count, as: Int.self)
            bytes.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
            bytes.storeBytes(of: rights, toByteOffset: 12, as: Int32.self)
            for (index, descriptor) in descriptors.enumerated() {
                bytes.storeBytes(of: descriptor, toByteOffset: headerByteCount + 4 * index, as: Int32.self)
            }
        }
        return bytes
    }

    /// Of all messages that came, also of several.
    static func decode(_ control: [UInt8]) -> [Int32] {
        control.withUnsafeBytes { bytes in
            var descriptors: [Int32] = []
            var start = 0
            // Each message is read only when its announced length lies within what came.
            while start + headerByteCount <= bytes.count {
                let byteCount = bytes.loadUnaligned(fromByteOffset: start, as: Int.self)
                guard byteCount >= headerByteCount, start + byteCount <= bytes.count else { break }
                let level = bytes.loadUnaligned(fromByteOffset: start + 8, as: Int32.self)
                let type = bytes.loadUnaligned(fromByteOffset: start + 12, as: Int32.self)
                if level == SOL_SOCKET, type == rights {
                    descriptors += stride(from: start + headerByteCount, to: start + byteCount - 3, by: 4)
                        .map { bytes.loadUnaligned(fromByteOffset: $0, as: Int32.self) }
                }
                start += aligned(byteCount)
            }
            return descriptors
        }
    }

    private static let rights = Int32(SCM_RIGHTS)

    private static func space(for count: Int) -> Int { aligned(headerByteCount + 4 * count) }

    /// To the length of a machine word.
    private static func aligned(_ byteCount: Int) -> Int { (byteCount + 7) & ~7 }
}
