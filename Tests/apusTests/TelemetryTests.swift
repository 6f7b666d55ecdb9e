// The export of metrics: what a collector is sent, and what happens when it does not take it.

import ApusServer
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import apus

@Suite(.serialized) struct TelemetryTests {
    private static let families = [
        MetricFamily(
            "apus_things_total", .counter, "Things.", [MetricSample(.count(7), MetricLabel("reason", "a\"b"))]),
        MetricFamily("apus_size_bytes", .gauge, "Size.", .number(1.5)),
    ]

    private func exporter(
        _ collector: Collector, interval: Duration = .seconds(30), timeout: Duration = .seconds(10)
    ) throws -> OTLPExporter {
        var settings = OTLPSettings(
            address: try CollectorAddress(parsing: "http://127.0.0.1:\(collector.port)/custom"))
        settings.interval = interval
        settings.timeout = timeout
        settings.attributes = [MetricLabel("deployment.environment", "test"), MetricLabel("service.name", "edge")]
        return OTLPExporter(
            settings, version: "1.2.3", instance: "host-1", startUnixNanoseconds: 5, collect: { Self.families },
            complain: { _ in })
    }

    private func outcomes(_ exporter: OTLPExporter) -> [MetricValue] {
        exporter.families.flatMap { $0.samples.map(\.value) }
    }

    @Test func aCollectorGetsTheMetricsAsOTLP() async throws {
        let collector = try Collector(answers: ["200 OK"])
        let exporter = try exporter(collector)
        try await blocking { #expect(exporter.export() == nil) }
        let request = try #require(collector.requests.first)
        #expect(request.head.hasPrefix("POST /custom HTTP/1.1\r\nHost: 127.0.0.1:\(collector.port)\r\n"))
        #expect(request.head.contains("Content-Type: application/json\r\n"))
        let json = try #require(try JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [String: Any])
        let resource = try #require((json["resourceMetrics"] as? [[String: Any]])?.first)
        let attributes = try #require((resource["resource"] as? [String: Any])?["attributes"] as? [[String: Any]])
        #expect(attributes.map { $0["key"] as? String } == [
            "service.version", "service.instance.id", "deployment.environment", "service.name",
        ])
        let scope = try #require((resource["scopeMetrics"] as? [[String: Any]])?.first)
        let metrics = try #require(scope["metrics"] as? [[String: Any]])
        #expect(metrics.map { $0["name"] as? String } == ["apus_things_total", "apus_size_bytes"])
        #expect(metrics.map { $0["unit"] as? String } == ["1", "By"])
        let sum = try #require(metrics[0]["sum"] as? [String: Any])
        #expect(sum["aggregationTemporality"] as? Int == 2 && sum["isMonotonic"] as? Bool == true)
        let point = try #require((sum["dataPoints"] as? [[String: Any]])?.first)
        #expect(point["asInt"] as? String == "7" && point["startTimeUnixNano"] as? String == "5")
    }

    @Test func aBusyCollectorIsAskedAgain() async throws {
        let collector = try Collector(answers: ["503 Busy\r\nRetry-After: 0", "429 Slow\r\nRetry-After: 0", "202 OK"])
        let exporter = try exporter(collector)
        try await blocking { #expect(exporter.export() == nil) }
        #expect(collector.requests.count == 3)
    }

    @Test func aCollectorThatRefusesIsNotAskedAgain() async throws {
        let collector = try Collector(answers: ["400 Bad Request", "200 OK"])
        let exporter = try exporter(collector)
        try await blocking { #expect(exporter.export() == "it answered 400 Bad Request") }
        #expect(collector.requests.count == 1)
    }

    @Test func aCollectorThatIsGoneOrSilentIsGivenUp() async throws {
        let silent = try Collector(answers: [])
        let exporter = try exporter(silent, timeout: .milliseconds(100))
        try await blocking { #expect(exporter.export(triesMax: 1)?.contains("no answer in time") == true) }
        let gone = OTLPExporter(
            OTLPSettings(address: try CollectorAddress(parsing: "http://127.0.0.1:1")), version: "", instance: "",
            startUnixNanoseconds: 0, collect: { [] }, complain: { _ in })
        try await blocking { #expect(gone.export(triesMax: 1)?.contains("Connection refused") == true) }
    }

    @Test func itExportsOnceAnIntervalAndOnceMoreAtTheEnd() async throws {
        let collector = try Collector(answers: Array(repeating: "200 OK", count: 1000))
        let exporter = try exporter(collector, interval: .milliseconds(20))
        exporter.start()
        try await blocking {
            #expect(eventually { collector.requests.count >= 3 })
            exporter.stop()
        }
        let count = UInt64(collector.requests.count)
        #expect(outcomes(exporter) == [.count(count), .count(0)])
    }

    @Test func failuresAreCountedAndTheFirstIsTold() async throws {
        let collector = try Collector(answers: Array(repeating: "400 No", count: 1000))
        let complaints = Complaints()
        var settings = OTLPSettings(address: try CollectorAddress(parsing: "http://127.0.0.1:\(collector.port)"))
        settings.interval = .milliseconds(20)
        let exporter = OTLPExporter(
            settings, version: "", instance: "", startUnixNanoseconds: 0, collect: { [] },
            complain: { complaints.add($0) })
        exporter.start()
        try await blocking {
            #expect(eventually { collector.requests.count >= 3 })
            exporter.stop()
        }
        #expect(complaints.all == ["metrics are not exported: it answered 400 No"])
        #expect(outcomes(exporter) == [.count(0), .count(UInt64(collector.requests.count))])
    }

    @Test func addressesAreRead() throws {
        func read(_ text: String) throws -> String { try CollectorAddress(parsing: text).description }
        #expect(try read("http://collector") == "http://collector:4318/v1/metrics")
        #expect(try read("HTTP://[::1]:4000/x/y") == "http://[::1]:4000/x/y")
        #expect(try read("http://10.0.0.1:1/") == "http://10.0.0.1:1/")
        for wrong in ["https://a", "a:4318", "http://", "http://:1", "http://a:0", "http://a:x", "http://a b",
            "http://u@a", "http://[::1", "http://[::1]x"] {
            #expect(throws: CollectorAddress.Problem.self, "\(wrong)") { _ = try read(wrong) }
        }
    }

    @Test func pausesGrowAndAreBounded() {
        for tries in 1...4 {
            let seconds = OTLPExporter.pauseSeconds(tries: tries, asked: nil)
            let whole = Double(1 << (tries - 1))
            #expect(seconds >= 0.8 * whole && seconds <= whole)
        }
        #expect(OTLPExporter.pauseSeconds(tries: 3, asked: 7) == 7)
    }
}

private final class Complaints: Sendable {
    private let texts = Mutex<[String]>([])

    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
}
