// What the service systemd hears, byte for byte.

import Foundation
import Synchronization
import TestSupport
import Testing

@testable import apus

/// Lines that were logged.
final class LoggedLines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    var log: @Sendable (String) -> Void { { line in self.lines.withLock { $0.append(line) } } }
}

@Suite struct NotifyTests {
    private func notify(_ name: String, _ log: @escaping @Sendable (String) -> Void = { _ in }) -> Notify {
        Notify(environment: ["NOTIFY_SOCKET": name], log: log)
    }

    @Test func aPathAndAnAbstractNameAreToldTheSame() throws {
        let folder = try TemporaryFolder()
        for name in [folder.file("notify"), "@apus-test-\(UUID().uuidString)"] {
            let systemd = try Datagrams(at: name)
            let notify = notify(name)
            #expect(notify.isOn)
            notify.tell(.ready, .status("a\nb"))
            notify.tell(.mainPID(17))
            notify.tell(.watchdog)
            notify.tell(.reloading(monotonicMicroseconds: 5), .status(""))
            notify.tell(.stopping, .extendTimeout(.milliseconds(1500)))
            notify.tell([])
            #expect(
                systemd.waiting() == [
                    "READY=1\nSTATUS=a; b", "MAINPID=17", "WATCHDOG=1", "RELOADING=1\nMONOTONIC_USEC=5\nSTATUS=",
                    "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000",
                ])
        }
    }

    @Test func nobodyAskedAndNobodyIsTold() {
        let logged = LoggedLines()
        let notify = Notify(environment: [:], log: logged.log)
        #expect(!notify.isOn)
        notify.tell(.ready)
        #expect(logged.all.isEmpty)
    }

    @Test(arguments: ["vsock:2:1", "relative", "", "/" + String(repeating: "x", count: 200)])
    func anAddressThatCannotBeIsSaid(name: String) {
        let logged = LoggedLines()
        #expect(!notify(name, logged.log).isOn)
        #expect(logged.all.count == 1)
    }

    @Test func aSilencedOneSaysNothing() throws {
        let folder = try TemporaryFolder()
        let systemd = try Datagrams(at: folder.file("notify"))
        let notify = notify(systemd.name)
        notify.silence()
        notify.tell(.stopping)
        #expect(systemd.waiting().isEmpty)
    }

    /// Nobody listens there: once is enough to say it.
    @Test func aListenerThatIsGoneIsComplainedAboutOnce() throws {
        let folder = try TemporaryFolder()
        let logged = LoggedLines()
        let notify = notify(folder.file("nobody"), logged.log)
        notify.tell(.ready)
        notify.tell(.watchdog)
        #expect(logged.all.count == 1)
    }

    @Test func aReloadIsDatedOnTheClockThatSystemdCompares() throws {
        guard case .reloading(let before) = NotifyState.reloadingNow() else { return #expect(Bool(false)) }
        guard case .reloading(let after) = NotifyState.reloadingNow() else { return #expect(Bool(false)) }
        let uptime = UInt64(ProcessInfo.processInfo.systemUptime * 1_000_000)
        #expect(before <= after)
        #expect(before > 0 && uptime > 0)
    }
}
