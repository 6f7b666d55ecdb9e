// Whether the kernel is new enough, lets us have a ring, and what that can do.

import ApusReactor
import Foundation

extension Examination {
    var ringFindings: [Finding] {
        switch host.ring {
        case .usable(let inspection):
            [kernel, ring, operations(of: inspection), receiveBundles(of: inspection)]
        case .refused, .unusable:
            [kernel, ring]
        }
    }

    private var kernel: Finding {
        guard let text = files.setting("kernel.osrelease") else {
            return .unknown("kernel", "kernel.osrelease cannot be read")
        }
        let release = KernelRelease(parsing: text)
        if release < KernelRelease(6, 1) {
            return .failure("kernel", "Linux \(text), and Apus needs 6.1", [Examination.newerKernel])
        }
        let pretended = host.environment[RingTier.environmentVariable] ?? ""
        let pretence = pretended.isEmpty ? "" : "; servers keep to \(RingTier.environmentVariable)=\(pretended)"
        return .ok("kernel", "Linux \(text), 6.1 or newer is needed\(pretence)")
    }

    private var ring: Finding {
        switch host.ring {
        case .usable: .ok("io_uring", "a ring with its buffers was made")
        case .refused(let errno): refusedRing(errno)
        case .unusable(let reason): .failure("io_uring", reason, [Examination.newerKernel])
        }
    }

    private func operations(of inspection: RingInspection) -> Finding {
        let missing = inspection.operations.filter { !$0.isSupported }.map(\.name)
        guard missing.isEmpty else {
            let seen = "this kernel's rings lack \(missing.joined(separator: ", "))"
            return .failure("operations", seen, [Examination.newerKernel])
        }
        return .ok("operations", inspection.operations.map(\.name).joined(separator: ", "))
    }

    /// Its absence costs a little work and is no fault.
    private func receiveBundles(of inspection: RingInspection) -> Finding {
        let seen = inspection.capabilities.receiveBundles
            ? "there: a completion may carry several buffers"
            : "not there (it comes with Linux 6.16): a completion carries one buffer, which costs a little more"
        return .ok("receive-bundles", seen)
    }

    private static let newerKernel = Fix.step(
        "boot Linux 6.1 or newer: Debian 12 and Ubuntu 24.04 have it; in a container it is the host's")
}

// MARK: Why there is none

extension Examination {
    /// The same errno comes from a setting, a filter and a kernel without io_uring; the kernel's files tell which.
    private func refusedRing(_ errno: Int32) -> Finding {
        switch errno {
        case EPERM, EACCES: forbiddenRing
        case ENOSYS: hiddenRing
        case EINVAL:
            .failure("io_uring", "the kernel lacks set-up flags that rings need (EINVAL)", [Examination.newerKernel])
        case ENOMEM:
            .failure(
                "io_uring", "no memory for a ring (ENOMEM): it is either locked memory or the control group's",
                surroundings.lockedMemoryFixes + surroundings.memoryFixes(mebibytes: plan.memoryByteCountMax >> 20))
        case EMFILE, ENFILE:
            .failure("io_uring", "no descriptor is left for a ring", surroundings.descriptorFixes(plan.descriptorCount))
        default:
            .failure(
                "io_uring", "io_uring_setup: \(errorText(errno))", [.command("strace -e io_uring_setup apus doctor")])
        }
    }

    private var forbiddenRing: Finding {
        switch files.number("kernel.io_uring_disabled") {
        case 2:
            .failure(
                "io_uring", "forbidden to everybody: kernel.io_uring_disabled = 2",
                surroundings.settingFixes("kernel.io_uring_disabled", "0"))
        case 1:
            .failure(
                "io_uring", "kernel.io_uring_disabled = 1, and this user is not in the group of kernel.io_uring_group",
                surroundings.settingFixes("kernel.io_uring_disabled", "0"))
        default:
            isFiltered
                ? .failure(
                    "io_uring", "forbidden (EPERM) by a seccomp filter, in \(surroundings.description)",
                    surroundings.seccompFixes)
                : .failure(
                    "io_uring", "forbidden (EPERM), though neither a setting nor a seccomp filter does it",
                    [.command("journalctl -k --grep 'apparmor|avc|io_uring'"), .step("allow io_uring in that policy")])
        }
    }

    private var hiddenRing: Finding {
        isFiltered
            ? .failure(
                "io_uring", "hidden (ENOSYS) by a seccomp filter, in \(surroundings.description)",
                surroundings.seccompFixes)
            : .failure(
                "io_uring", "this kernel has none (ENOSYS): it was built without CONFIG_IO_URING",
                [.step("boot your distribution's own kernel, or one built with CONFIG_IO_URING=y")])
    }

    /// Mode 2 of `/proc/self/status`: a program decides which system calls there are.
    private var isFiltered: Bool { files.field("Seccomp", of: "/proc/self/status") == "2" }
}
