// What io_uring offers here, for one who wants the whole list and not the first thing that is missing. The ring that is
// looked at serves nobody.

import CURing
import Glibc

package struct RingInspection: Equatable, Sendable {
    package struct Operation: Equatable, Sendable {
        package let name: String
        package let isSupported: Bool

        package init(name: String, isSupported: Bool) {
            self.name = name
            self.isSupported = isSupported
        }
    }

    /// Those that a ring of ours cannot do without.
    package let operations: [Operation]
    package let capabilities: RingCapabilities

    package init(operations: [Operation], capabilities: RingCapabilities) {
        self.operations = operations
        self.capabilities = capabilities
    }

    /// What every ring has to be able to do, with the names that errors give it.
    static let needed = [
        (IORING_OP_ACCEPT, "accept"), (IORING_OP_RECV, "receive"), (IORING_OP_SEND, "send"),
        (IORING_OP_CONNECT, "connect"), (IORING_OP_SHUTDOWN, "shutdown"), (IORING_OP_CLOSE, "close"),
        (IORING_OP_ASYNC_CANCEL, "cancel"), (IORING_OP_READ, "read"), (IORING_OP_MSG_RING, "msg_ring"),
    ]

    /// Looks at a bare ring, and then, if nothing is missing, makes a whole one with its buffers and gives it back.
    package static func current() throws(RingUnavailable) -> RingInspection {
        let found = try bare()
        if found.operations.allSatisfy(\.isSupported) { _ = try Ring(tier: .newest) }
        return found
    }

    private static func bare() throws(RingUnavailable) -> RingInspection {
        // liburing fills it in and keeps no pointer to it; it is left before this returns, and so is the probe.
        var uring = unsafe io_uring()
        let opened = unsafe curing_open(&uring, 8, 16)
        guard opened == 0 else { throw .refused(errno: -opened) }
        defer { unsafe io_uring_queue_exit(&uring) }
        guard let probe = unsafe io_uring_get_probe_ring(&uring) else { throw .refused(errno: EINVAL) }
        defer { unsafe io_uring_free_probe(probe) }
        let operations = needed.map { operation, name in
            Operation(name: name, isSupported: unsafe curing_supports(probe, Int32(operation.rawValue)) != 0)
        }
        let capabilities = unsafe RingCapabilities(features: uring.features, release: .current())
        return RingInspection(operations: operations, capabilities: capabilities)
    }
}
