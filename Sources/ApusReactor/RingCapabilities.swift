// What this kernel's io_uring can do beyond the floor, and why it can do nothing at all.

import CURing
import Glibc

/// Features newer than the floor (Linux 6.1). Each is optional: without it the ring does the same with more work.
public struct RingCapabilities: Equatable, Sendable {
    /// One receive completion may cover several buffers (IORING_RECVSEND_BUNDLE). Linux 6.10 has it, but up to 6.15 a
    /// multishot receive could hand bundled buffers out of order, so older kernels count as without.
    public var receiveBundles: Bool

    public static let floor = RingCapabilities(receiveBundles: false)

    /// - Parameters:
    ///   - features: `io_uring_params.features` as the kernel filled it in.
    ///   - release: the kernel's release.
    public init(features: UInt32, release: KernelRelease) {
        receiveBundles = features & curing_feature_bundle != 0 && release >= KernelRelease(6, 16)
    }

    public init(receiveBundles: Bool) { self.receiveBundles = receiveBundles }
}

/// The kernel a ring pretends to run on; from the environment variable `APUS_RING_TIER`.
public enum RingTier: String, CaseIterable, Sendable {
    /// Whatever the kernel offers.
    case newest
    /// Only what Linux 6.1 offers.
    case floor = "6.1"

    public static let environmentVariable = "APUS_RING_TIER"

    /// The tier the environment asks for; `newest` when it is silent.
    public static func fromEnvironment() throws(RingUnavailable) -> RingTier {
        guard let text = unsafe getenv(environmentVariable).map({ unsafe String(cString: $0) }), !text.isEmpty else {
            return .newest
        }
        guard let tier = RingTier(rawValue: text) else { throw .unknownTier(text) }
        return tier
    }
}

/// A kernel release's first two numbers.
public struct KernelRelease: Comparable, CustomStringConvertible, Sendable {
    public let major: Int
    public let minor: Int

    public init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads the leading `MAJOR.MINOR` of a text such as `6.1.0-28-amd64`; missing numbers are zero.
    public init(parsing text: some StringProtocol) {
        let numbers = text.split(separator: ".", maxSplits: 2).map { part in Int(part.prefix(while: \.isNumber)) ?? 0 }
        self.init(numbers.first ?? 0, numbers.dropFirst().first ?? 0)
    }

    /// The running kernel's.
    public static func current() -> KernelRelease {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return KernelRelease(0, 0) }
        let text = unsafe withUnsafeBytes(of: &names.release) { bytes in
            unsafe String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
        }
        return KernelRelease(parsing: text)
    }

    public static func < (left: KernelRelease, right: KernelRelease) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    public var description: String { "\(major).\(minor)" }
}

/// Why there is no ring. Its description is one sentence that says what is wrong and what to do.
public enum RingUnavailable: Error, Equatable, CustomStringConvertible {
    case refused(errno: Int32)
    case missingOperation(String)
    /// The kernel does not confine the ring to what Apus asks of it.
    case unrestricted(errno: Int32)
    case unknownTier(String)
    case noMemory(String)

    public var description: String {
        switch self {
        case .refused(let errno): RingUnavailable.reason(for: errno)
        case .missingOperation(let name):
            "io_uring on this kernel (\(KernelRelease.current())) lacks \(name): Apus needs Linux 6.1 or newer."
        case .unrestricted(let errno):
            "The io_uring cannot be confined to the operations Apus uses (\(errorText(errno)), kernel "
                + "\(KernelRelease.current())): every kernel from 5.10 on can, so look for a seccomp profile that "
                + "filters the calls of io_uring_register, and let IORING_REGISTER_RESTRICTIONS through."
        case .unknownTier(let text):
            "\(RingTier.environmentVariable)=\(text) names no tier: use 6.1, newest, or unset it."
        case .noMemory(let what):
            "No memory for \(what): free some, or lower --shards."
        }
    }

    private static func reason(for errno: Int32) -> String {
        switch errno {
        case EPERM, EACCES:
            "io_uring is forbidden here: set the sysctl kernel.io_uring_disabled to 0, "
                + "and under a container allow the io_uring_* system calls in its seccomp profile."
        case ENOSYS:
            "io_uring is not available (kernel \(KernelRelease.current()), or a seccomp profile hides it): "
                + "run Linux 6.1 or newer and allow the io_uring_* system calls."
        case EINVAL:
            "io_uring on this kernel (\(KernelRelease.current())) lacks the set-up flags Apus needs: "
                + "run Linux 6.1 or newer."
        case ENOMEM:
            "The kernel has no memory for an io_uring: raise the memlock limit (ulimit -l, LimitMEMLOCK=) "
                + "or lower --shards."
        case EMFILE, ENFILE:
            "No file descriptor is left for an io_uring: raise the nofile limit (ulimit -n, LimitNOFILE=)."
        default:
            "io_uring could not be set up: \(errorText(errno))."
        }
    }
}

/// The system's words for an errno.
public func errorText(_ errno: Int32) -> String {
    unsafe String(cString: strerror(errno))
}
