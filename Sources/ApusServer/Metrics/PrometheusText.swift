// Metrics in Prometheus' text format, version 0.0.4: HELP and TYPE, then one line a value.

package enum PrometheusText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package static func encode(_ families: [MetricFamily]) -> String {
        var text = ""
        for family in families where !family.samples.isEmpty { append(family, to: &text) }
        return text
    }

    private static func append(_ family: MetricFamily, to text: inout String) {
        text += "# HELP \(family.name) \(escaped(family.meaning, quotes: false))\n"
        text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
        for sample in family.samples { append(sample, of: family.name, to: &text) }
    }

    private static func append(_ sample: MetricSample, of name: String, to text: inout String) {
        switch sample.value {
        case .count(let count): text += "\(name)\(labels(sample.labels)) \(count)\n"
        case .number(let number): text += "\(name)\(labels(sample.labels)) \(self.number(number))\n"
        case .histogram(let histogram): append(histogram, sample.labels, of: name, to: &text)
        }
    }

    private static func append(
        _ histogram: HistogramSnapshot, _ own: [MetricLabel], of name: String, to text: inout String
    ) {
        let bounds = histogram.bounds.map(number) + ["+Inf"]
        for (bound, count) in zip(bounds, histogram.cumulativeCounts) {
            text += "\(name)_bucket\(labels(own + [MetricLabel("le", bound)])) \(count)\n"
        }
        text += "\(name)_sum\(labels(own)) \(number(histogram.sum))\n"
        text += "\(name)_count\(labels(own)) \(histogram.count)\n"
    }

    private static func labels(_ labels: [MetricLabel]) -> String {
        if labels.isEmpty { return "" }
        return "{" + labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }.joined(separator: ",") + "}"
    }

    /// As Go reads numbers; Swift writes them so that they read back the same.
    private static func number(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number > 0 ? "+Inf" : "-Inf" }
        return number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
