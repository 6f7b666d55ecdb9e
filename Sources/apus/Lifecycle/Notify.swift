// What the service manager is told: one datagram for each change, in the words of sd_notify(3), without its library.
// Where nobody asked to be told (no NOTIFY_SOCKET) it says nothing.

import Glibc
import Synchronization

/// One line of a notification.
enum NotifyState: Equatable, Sendable {
    case ready
    case stopping
    /// - Parameter monotonicMicroseconds: when it began; systemd matches it with the reload it asked for.
    case reloading(monotonicMicroseconds: UInt64)
    case status(String)
    case mainPID(Int32)
    case watchdog
    /// What goes on may take so much longer from now.
    case extendTimeout(Duration)

    var line: String {
        switch self {
        case .ready: "READY=1"
        case .stopping: "STOPPING=1"
        case .reloading(let microseconds): "RELOADING=1\nMONOTONIC_USEC=\(microseconds)"
        case .status(let text): "STATUS=\(text.split(whereSeparator: \.isNewline).joined(separator: "; "))"
        case .mainPID(let process): "MAINPID=\(process)"
        case .watchdog: "WATCHDOG=1"
        case .extendTimeout(let duration): "EXTEND_TIMEOUT_USEC=\(Int64(max(0, duration.microseconds)))"
        }
    }

    /// Now, on the clock that systemd compares.
    static func reloadingNow() -> NotifyState {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .reloading(monotonicMicroseconds: UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000)
    }
}

final class Notify: Sendable {
    private static let variable = "NOTIFY_SOCKET"

    private let address: UnixAddress?
    private let socket: Int32
    private let isSilent: Atomic<Bool>
    private let hasFailed = Atomic(false)
    private let log: @Sendable (String) -> Void

    /// - Parameter log: hears once when nobody listens at the address.
    init(environment: [String: String], log: @escaping @Sendable (String) -> Void) {
        self.log = log
        let name = environment[Notify.variable]
        address = name.flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? UnixAddress($0) : nil }
        socket = address == nil ? -1 : Glibc.socket(AF_UNIX, Notify.kind, 0)
        isSilent = Atomic(socket < 0)
        if socket >= 0 { limitWaiting() }
        guard let name, socket < 0 else { return }
        log("\(Notify.variable)=\(name): neither /PATH nor @NAME; the service manager is told nothing")
    }

    deinit { if socket >= 0 { close(socket) } }

    private static let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// Somebody listens, as far as one knows.
    var isOn: Bool { !isSilent.load(ordering: .relaxed) }

    /// All in one datagram, which is taken as a whole.
    func tell(_ states: NotifyState...) { tell(states) }

    func tell(_ states: [NotifyState]) {
        guard isOn, let address, !states.isEmpty else { return }
        let bytes = Array(states.map(\.line).joined(separator: "\n").utf8)
        let sent = address.withSockaddr { pointer, count in
            sendto(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL), pointer, count)
        }
        guard sent < 0, !hasFailed.exchange(true, ordering: .relaxed) else { return }
        log("\(Notify.variable)=\(address.name): \(systemErrorText()); what is said there is lost")
    }

    /// From now on another process speaks for the service.
    func silence() { isSilent.store(true, ordering: .relaxed) }

    /// A manager that does not read must not hold up a drain.
    private func limitWaiting() {
        var timeout = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }
}
