// Metrics as an OTLP/HTTP collector takes them: ExportMetricsServiceRequest in JSON (opentelemetry-proto 1.x,
// OTLP/HTTP §JSON encoding). Pure: it neither reads clocks nor sends.

/// Who the metrics are of, as collectors want to know it: `service.name`, `service.instance.id` and the like.
public struct OTLPResource: Equatable, Sendable {
    /// In the order they are sent.
    public var attributes: [MetricLabel]

    public init(attributes: [MetricLabel]) { self.attributes = attributes }
}

public enum OTLPMetrics {
    public static let contentType = "application/json"
    /// Sums count from the start of the server on.
    private static let cumulative = 2

    /// - Parameters:
    ///   - startUnixNanoseconds: since when counters count.
    ///   - unixNanoseconds: when the values were read.
    public static func encode(
        _ families: [MetricFamily], of resource: OTLPResource, version: String, startUnixNanoseconds: UInt64,
        unixNanoseconds: UInt64
    ) -> String {
        let span = Span(start: startUnixNanoseconds, end: unixNanoseconds)
        var json = JSONText()
        json.object { json in
            json.array("resourceMetrics") { json in
                json.object { json in
                    json.object("resource") { json in write(resource.attributes, to: &json) }
                    json.array("scopeMetrics") { json in
                        writeScope(families, version, span, to: &json)
                    }
                }
            }
        }
        return json.text
    }

    private struct Span {
        let start: UInt64
        let end: UInt64
    }

    private static func writeScope(
        _ families: [MetricFamily], _ version: String, _ span: Span, to json: inout JSONText
    ) {
        json.object { json in
            json.object("scope") { json in
                json.value("name", "apus")
                json.value("version", version)
            }
            json.array("metrics") { json in
                for family in families where !family.samples.isEmpty { write(family, span, to: &json) }
            }
        }
    }

    private static func write(_ family: MetricFamily, _ span: Span, to json: inout JSONText) {
        json.object { json in
            json.value("name", family.name)
            json.value("description", family.meaning)
            json.value("unit", unit(of: family))
            switch family.kind {
            case .counter:
                json.object("sum") { json in
                    writePoints(of: family, span, to: &json)
                    json.value("aggregationTemporality", cumulative)
                    json.value("isMonotonic", true)
                }
            case .gauge: json.object("gauge") { json in writePoints(of: family, span, to: &json) }
            case .histogram:
                json.object("histogram") { json in
                    writePoints(of: family, span, to: &json)
                    json.value("aggregationTemporality", cumulative)
                }
            }
        }
    }

    /// UCUM's, read off the name.
    private static func unit(of family: MetricFamily) -> String {
        let name = family.name.hasSuffix("_total") ? String(family.name.dropLast(6)) : family.name
        if name.hasSuffix("_seconds") { return "s" }
        if name.hasSuffix("_milliseconds") { return "ms" }
        return name.hasSuffix("_bytes") ? "By" : "1"
    }

    private static func writePoints(of family: MetricFamily, _ span: Span, to json: inout JSONText) {
        json.array("dataPoints") { json in
            for sample in family.samples {
                json.object { json in
                    write(sample.labels, to: &json)
                    // 64-bit integers are strings in protobuf's JSON.
                    if family.kind != .gauge { json.value("startTimeUnixNano", "\(span.start)") }
                    json.value("timeUnixNano", "\(span.end)")
                    write(sample.value, to: &json)
                }
            }
        }
    }

    private static func write(_ labels: [MetricLabel], to json: inout JSONText) {
        json.array("attributes") { json in
            for label in labels {
                json.object { json in
                    json.value("key", label.name)
                    json.object("value") { json in json.value("stringValue", label.value) }
                }
            }
        }
    }

    private static func write(_ value: MetricValue, to json: inout JSONText) {
        switch value {
        case .count(let count): json.value("asInt", "\(min(count, UInt64(Int64.max)))")
        case .number(let number): json.value("asDouble", number)
        case .histogram(let histogram):
            json.value("count", "\(histogram.count)")
            json.value("sum", histogram.sum)
            json.array("bucketCounts") { json in histogram.counts.forEach { json.value(nil, "\($0)") } }
            json.array("explicitBounds") { json in histogram.bounds.forEach { json.value(nil, $0) } }
        }
    }
}
