// Sends the server's metrics to a collector, once an interval, from a thread of its own. What cannot be sent is not
// kept: counters are cumulative, so the next export says all that this one would have.

import ApusServer
import Foundation
import Synchronization

struct OTLPSettings: Sendable {
    var address: CollectorAddress
    var interval: Duration = .seconds(15)
    /// From connect to the answer, for each try.
    var timeout: Duration = .seconds(5)
    /// Besides `service.name`, `service.version` and `service.instance.id`; one of the same key replaces it.
    var attributes: [MetricLabel] = []
    /// Tries of one export; between two the pause doubles from a second on, as long as the interval lasts.
    var triesMax = 4
}

final class OTLPExporter: Sendable {
    typealias Collect = @Sendable () -> [MetricFamily]

    private let settings: OTLPSettings
    private let version: String
    private let resource: OTLPResource
    private let collect: Collect
    private let complain: @Sendable (String) -> Void
    private let sent = Atomic<UInt64>(0)
    private let failed = Atomic<UInt64>(0)
    private let startUnixNanoseconds: UInt64
    /// Broken off by `stop`.
    private let pause = Pause()
    private let isStarted = Atomic(false)

    /// - Parameters:
    ///   - collect: reads the metrics; on the exporter's thread.
    ///   - complain: hears of the first failure after a success, not of every one.
    init(
        _ settings: OTLPSettings, version: String, instance: String, startUnixNanoseconds: UInt64,
        collect: @escaping Collect, complain: @escaping @Sendable (String) -> Void
    ) {
        self.settings = settings
        self.version = version
        self.collect = collect
        self.complain = complain
        self.startUnixNanoseconds = startUnixNanoseconds
        let own = [
            MetricLabel("service.name", "apus"), MetricLabel("service.version", version),
            MetricLabel("service.instance.id", instance),
        ]
        let replaced = Set(settings.attributes.map(\.name))
        resource = OTLPResource(attributes: own.filter { !replaced.contains($0.name) } + settings.attributes)
    }

    /// Export once an interval until `stop`.
    func start() {
        isStarted.store(true, ordering: .relaxed)
        let thread = Thread { [self] in run() }
        thread.name = "apus-telemetry"
        thread.start()
    }

    /// Export once more and end; returns when that has happened, after one try.
    func stop() { if isStarted.load(ordering: .relaxed) { pause.end() } }

    /// For `/metrics`.
    var families: [MetricFamily] {
        [
            MetricFamily(
                "apus_telemetry_exports_total", .counter, "Exports of metrics to a collector, by what became of them.",
                [
                    MetricSample(.count(sent.load(ordering: .relaxed)), MetricLabel("outcome", "sent")),
                    MetricSample(.count(failed.load(ordering: .relaxed)), MetricLabel("outcome", "failed")),
                ])
        ]
    }

    private func run() {
        var isFailing = false
        while !pause.wait(seconds: settings.interval.inSeconds) { isFailing = report(export(), isFailing) }
        _ = report(export(triesMax: 1), isFailing)
        pause.acknowledge()
    }

    private func report(_ problem: String?, _ wasFailing: Bool) -> Bool {
        guard let problem else {
            sent.add(1, ordering: .relaxed)
            return false
        }
        failed.add(1, ordering: .relaxed)
        if !wasFailing { complain("metrics are not exported: \(problem)") }
        return true
    }

    /// Nil, or what went wrong.
    func export(triesMax: Int? = nil) -> String? {
        let body = OTLPMetrics.encode(
            collect(), of: resource, version: version, startUnixNanoseconds: startUnixNanoseconds,
            unixNanoseconds: UInt64(Date().timeIntervalSince1970 * 1e9))
        let post = CollectorPost(address: settings.address, timeoutSeconds: settings.timeout.inSeconds)
        let deadline = Date() + settings.interval.inSeconds
        var tries = 1
        while true {
            switch post.send(Array(body.utf8), contentType: OTLPMetrics.contentType) {
            case .taken: return nil
            case .refused(let problem): return problem
            case .retry(let problem, let afterSeconds):
                let seconds = OTLPExporter.pauseSeconds(tries: tries, asked: afterSeconds)
                if tries >= triesMax ?? settings.triesMax || Date() + seconds > deadline { return problem }
                if pause.wait(seconds: seconds) { return problem }
                tries += 1
            }
        }
    }

    /// One, two, four seconds and so on, less up to a fifth, so that many servers do not come back at one moment; or as
    /// long as the collector asks for.
    static func pauseSeconds(tries: Int, asked: Int?) -> Double {
        if let asked { return Double(max(0, asked)) }
        return pow(2, Double(tries - 1)) * Double.random(in: 0.8...1)
    }
}

/// A wait that another thread can end.
private final class Pause: Sendable {
    // Once `isEnded` is set it stays so.
    private let isEnded = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)
    private let acknowledged = DispatchSemaphore(value: 0)

    /// True: it was ended.
    func wait(seconds: Double) -> Bool {
        if isEnded.load(ordering: .acquiring) { return true }
        _ = ended.wait(timeout: .now() + seconds)
        return isEnded.load(ordering: .acquiring)
    }

    func end() {
        if isEnded.exchange(true, ordering: .acquiringAndReleasing) { return }
        ended.signal()
        acknowledged.wait()
    }

    func acknowledge() { acknowledged.signal() }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
