// The verbs of a serving process, over a server that only writes down what it was told.

import ApusServer
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import apus

/// Remembers what was asked of it, in order, together with what its owner adds.
private final class RecordingServer: LifecycleServer {
    private let events = Mutex<[String]>([])
    private let ended = DispatchSemaphore(value: 0)
    let listeners: [LifecycleListener]

    init(listeners: [LifecycleListener] = []) { self.listeners = listeners }

    var all: [String] { events.withLock { $0 } }
    func add(_ event: String) { events.withLock { $0.append(event) } }

    func drain(timeout: Duration, over window: Duration?) {
        add("drain \(timeout.brief) \(window?.brief ?? "at once")")
    }
    func stop() {
        add("stop")
        ended.signal()
    }
    func waitForEnd() -> ServerExit {
        ended.wait()
        return .drained
    }
    func listeningSockets() -> [LifecycleListener] {
        listeners.map { listener in
            LifecycleListener(
                name: listener.name, address: listener.address, descriptors: listener.descriptors.map { dup($0) })
        }
    }
    func releaseListeners() { add("release") }
    var totals: ServerTotals { ServerTotals(openConnections: 3, messages: 9) }
}

@Suite struct ServerLifecycleTests {
    private struct Scene {
        let folder: TemporaryFolder
        let systemd: Datagrams
        let server: RecordingServer
        let lifecycle: ServerLifecycle
        let logged: LoggedLines
    }

    /// A lifecycle that serves, with a systemd that listens.
    private func serving(
        _ change: (inout LifecycleSettings, inout Served, RecordingServer) -> Void = { _, _, _ in },
        environment: [String: String] = [:], processID: Int32 = 4711
    ) throws -> Scene {
        let folder = try TemporaryFolder()
        let systemd = try Datagrams(at: folder.file("notify"))
        let logged = LoggedLines()
        let server = RecordingServer()
        var (settings, served) = (LifecycleSettings(), Served(server: server))
        settings.log = logged.log
        settings.warn = logged.log
        settings.upgradeSocket = .none
        change(&settings, &served, server)
        let environment = environment.merging(["NOTIFY_SOCKET": systemd.name]) { $1 }
        let lifecycle = ServerLifecycle(settings, environment: environment, processID: processID)
        lifecycle.serve(served)
        #expect(systemd.next() == "READY=1\nSTATUS=serving")
        return Scene(folder: folder, systemd: systemd, server: server, lifecycle: lifecycle, logged: logged)
    }

    // MARK: Draining

    @Test func readinessFailsBeforeAcceptingStops() throws {
        let scene = try serving { settings, served, server in
            settings.drainDelay = .milliseconds(1)
            settings.drainWindow = .seconds(2)
            served.onDraining = { server.add("not ready") }
        }
        #expect(scene.lifecycle.drain(.prompt) == .began)
        #expect(eventually { scene.server.all.count == 2 })
        #expect(scene.server.all == ["not ready", "drain 30s 2s"])
        #expect(scene.lifecycle.phase == .draining)
        let told = scene.systemd.first(containing: "STOPPING=1")
        #expect(told == "STOPPING=1\nEXTEND_TIMEOUT_USEC=35001000")
    }

    @Test func signalsDrainHastenAndStop() throws {
        let scene = try serving { settings, _, _ in settings.drainTimeout = .seconds(3) }
        scene.lifecycle.obey(SIGUSR1)
        #expect(eventually { scene.server.all == ["drain 3600s at once"] })
        scene.lifecycle.obey(SIGUSR1)
        scene.lifecycle.obey(SIGTERM)
        #expect(scene.server.all == ["drain 3600s at once", "drain 3s at once"])
        scene.lifecycle.obey(SIGINT)
        #expect(scene.server.all.last == "stop")
        #expect(
            scene.logged.all == [
                "SIGUSR1: draining until nobody is left, for at most 3600s", "SIGUSR1: draining already",
                "SIGTERM: draining for at most 3s more; another signal stops at once", "SIGINT: stopping at once",
            ])
    }

    /// A second signal stops the server while load balancers are still given time.
    @Test func theLeadTimeIsCutShort() throws {
        let scene = try serving { settings, _, _ in settings.drainDelay = .seconds(600) }
        scene.lifecycle.obey(SIGTERM)
        #expect(scene.server.all.isEmpty)
        scene.lifecycle.obey(SIGTERM)
        #expect(scene.server.all == ["stop"])
    }

    // MARK: Reload and dump

    /// What looks out for changed files begins then: before, a reload would be refused.
    @Test func whoeverIsToldThatItServesMayReload() throws {
        var settings = LifecycleSettings()
        settings.upgradeSocket = .none
        let lifecycle = ServerLifecycle(settings, environment: [:], processID: 4711)
        let answers = Mutex<[ReloadAnswer]>([])
        var served = Served(server: RecordingServer())
        served.reload = { .applied("nothing changed") }
        served.onServing = { answers.withLock { $0.append(lifecycle.reload()) } }
        #expect(lifecycle.reload() == .refused("the server is starting, not serving"))
        lifecycle.serve(served)
        #expect(answers.withLock { $0 } == [.applied("nothing changed")])
    }

    @Test func aReloadIsFramed() throws {
        let scene = try serving { _, served, server in
            served.reopenLogs = { server.add("reopen") }
            served.reload = {
                server.add("reload")
                return .applied("nothing changed")
            }
        }
        #expect(scene.lifecycle.reload() == .applied("nothing changed"))
        #expect(scene.server.all == ["reopen", "reload"])
        #expect(scene.systemd.first(containing: "RELOADING=1")?.contains("MONOTONIC_USEC=") == true)
        #expect(scene.systemd.first(containing: "READY=1") == "READY=1")
    }

    @Test func aRefusedReloadIsLoggedAndServingGoesOn() throws {
        let scene = try serving { _, served, _ in served.reload = { .refused("apus.toml:3: no") } }
        scene.lifecycle.obey(SIGHUP)
        #expect(scene.systemd.first(containing: "RELOADING=1") != nil)
        #expect(scene.systemd.first(containing: "READY=1") != nil)
        #expect(eventually { scene.logged.all == ["SIGHUP: apus.toml:3: no"] })
        #expect(scene.lifecycle.phase == .serving)
    }

    @Test func whileDrainingThereIsNoReload() throws {
        let scene = try serving { _, served, _ in served.reload = { .applied("") } }
        scene.lifecycle.drain(.patient)
        #expect(scene.lifecycle.reload() == .refused("the server is draining, not serving"))
    }

    @Test func aDumpGoesToTheLog() throws {
        let scene = try serving()
        scene.lifecycle.obey(SIGQUIT)
        #expect(eventually { !scene.logged.all.isEmpty })
        #expect(scene.logged.all == ["state: serving: 3 connections, 9 messages since the start"])
        let isAsked = Flag(false)
        let other = try serving { _, served, _ in served.dump = { isAsked.value = true } }
        other.lifecycle.obey(SIGQUIT)
        #expect(eventually { isAsked.value })
    }

    // MARK: The watchdog

    @Test func theWatchdogStarvesWhenALoopStandsStill() throws {
        let state = Flag(true)
        let scene = try serving(
            { _, served, _ in served.isLive = { state.value } },
            environment: ["WATCHDOG_USEC": "20000"])
        #expect(scene.systemd.first(containing: "WATCHDOG=1") != nil)
        #expect(scene.systemd.first(containing: "WATCHDOG=1") != nil)
        state.value = false
        // The beat that was on its way may still say it.
        #expect(eventually { scene.logged.all == ["a loop stands still"] })
        _ = scene.systemd.waiting()
        usleep(60_000)
        #expect(scene.systemd.waiting().allSatisfy { !$0.contains("WATCHDOG=1") })
        state.value = true
        #expect(scene.systemd.first(containing: "WATCHDOG=1") != nil)
    }

    // MARK: Upgrade

    @Test func processOneHasNoSuccessor() throws {
        let scene = try serving(processID: 1)
        var outcome: UpgradeOutcome?
        scene.lifecycle.upgrade { outcome = $0 }
        guard case .refused(let reason) = outcome else { return #expect(Bool(false)) }
        #expect(reason.contains("PID 1"))
        #expect(scene.server.all.isEmpty)
        #expect(scene.lifecycle.phase == .serving)
    }

    /// From one lifecycle to another, in one process.
    @Test func aSuccessorTakesOver() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("upgrade.sock")
        let socket = try TestSocket.listening()
        let systemd = try Datagrams(at: folder.file("notify"))
        try await blocking {
            let old = RecordingServer(
                listeners: [LifecycleListener(name: "edge", address: "", descriptors: [socket])])
            let before = lifecycle(path, systemd)
            before.serve(Served(server: old))
            let new = RecordingServer()
            let after = lifecycle(path, systemd, from: path)
            let places = [ListenerPlace(name: "edge", address: "127.0.0.1:0")]
            let served = try after.begin(places) { inheritance in
                #expect(inheritance.descriptors["edge"]?.count == 1)
                inheritance.closeAll()
                return Served(server: new)
            }
            after.serve(served)
            #expect(eventually { old.all == ["release", "drain 3600s at once"] })
            #expect((before.phase, after.phase) == (.draining, .serving))
            #expect(new.all.isEmpty)
            let told = systemd.waiting().filter { !$0.contains("STATUS=serving:") }
            #expect(told == ["READY=1\nSTATUS=serving", "MAINPID=4711", "READY=1\nSTATUS=serving"])
            // The path is the successor's now, and stays when the one before ends.
            before.end()
            #expect(access(path, F_OK) == 0)
            after.end()
            #expect(access(path, F_OK) != 0)
        }
        close(socket)
    }

    @Test func aSuccessorThatCannotStartChangesNothing() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("upgrade.sock")
        let systemd = try Datagrams(at: folder.file("notify"))
        let socket = try TestSocket.listening()
        defer { close(socket) }
        try await blocking {
            let old = RecordingServer(
                listeners: [LifecycleListener(name: "edge", address: "", descriptors: [socket])])
            let before = lifecycle(path, systemd)
            before.serve(Served(server: old))
            #expect(throws: Failure.self) {
                try lifecycle(path, systemd, from: path).begin([]) { _ in
                    throw Failure(.hostNotFit, "apus: no ring")
                }
            }
            #expect(old.all.isEmpty)
            #expect(before.phase == .serving)
            // One that starts and is not ready is drained, and its listeners are left to the other.
            let new = RecordingServer()
            #expect(throws: Failure.self) {
                try lifecycle(path, systemd, from: path, timeout: .milliseconds(50)).begin([]) { _ in
                    new.stop()
                    return Served(server: new, unreadiness: { ["no certificate"] })
                }
            }
            #expect(new.all == ["stop", "release", "drain 30s at once"])
            #expect(old.all.isEmpty)
            before.end()
        }
    }

    private func lifecycle(
        _ path: String, _ systemd: Datagrams, from source: String? = nil, timeout: Duration = .seconds(30)
    ) -> ServerLifecycle {
        var settings = LifecycleSettings()
        settings.log = { _ in }
        settings.warn = { _ in }
        settings.upgradeSocket = .path(path)
        settings.upgradeFrom = source
        settings.upgradeTimeout = timeout
        return ServerLifecycle(settings, environment: ["NOTIFY_SOCKET": systemd.name], processID: 4711)
    }
}

/// Turned by a test while others read it.
private final class Flag: Sendable {
    private let isSet: Mutex<Bool>

    init(_ isSet: Bool) { self.isSet = Mutex(isSet) }

    var value: Bool {
        get { isSet.withLock { $0 } }
        set { isSet.withLock { $0 = newValue } }
    }
}
