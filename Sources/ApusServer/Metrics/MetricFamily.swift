// Metrics as every exporter sees them: names, labels, values. It knows no text format.

/// Labels are from closed sets (`loop`, `listener`, `reason`, `outcome`, `version`): what a peer sends never makes one.
public struct MetricLabel: Hashable, Sendable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

public enum MetricValue: Equatable, Sendable {
    case count(UInt64)
    case number(Double)
    case histogram(HistogramSnapshot)
}

public struct MetricSample: Equatable, Sendable {
    public let labels: [MetricLabel]
    public let value: MetricValue

    public init(_ value: MetricValue, _ labels: MetricLabel...) { self.init(value, labels: labels) }

    public init(_ value: MetricValue, labels: [MetricLabel]) {
        self.labels = labels
        self.value = value
    }
}

/// What is measured under one name. Units stand at the end of names: `_seconds`, `_bytes`, `_total`.
public struct MetricFamily: Equatable, Sendable {
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    public let name: String
    public let kind: Kind
    /// One sentence.
    public let meaning: String
    public let samples: [MetricSample]

    public init(_ name: String, _ kind: Kind, _ meaning: String, _ samples: [MetricSample]) {
        self.name = name
        self.kind = kind
        self.meaning = meaning
        self.samples = samples
    }

    public init(_ name: String, _ kind: Kind, _ meaning: String, _ value: MetricValue) {
        self.init(name, kind, meaning, [MetricSample(value)])
    }
}
