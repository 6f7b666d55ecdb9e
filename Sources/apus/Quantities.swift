// Durations and sizes as people write them on a command line.

import ArgumentParser

/// `250ms`, `5s`, `2m`, or a bare number of milliseconds.
struct DurationArgument: ExpressibleByArgument, Sendable {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        let units: [(suffix: String, milliseconds: Int64)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("", 1)]
        guard let unit = units.first(where: { argument.hasSuffix($0.suffix) }),
            let amount = positiveInteger(argument.dropLast(unit.suffix.count))
        else { return nil }
        let (milliseconds, overflow) = amount.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow else { return nil }
        duration = .milliseconds(milliseconds)
    }

    var defaultValueDescription: String { duration.brief }
}

/// A duration, or `off`.
struct OptionalDurationArgument: ExpressibleByArgument, Sendable {
    /// Nil: off.
    let duration: Duration?

    init(_ duration: Duration?) { self.duration = duration }

    init?(argument: String) {
        if argument == "off" {
            duration = nil
        } else {
            guard let given = DurationArgument(argument: argument) else { return nil }
            duration = given.duration
        }
    }

    var defaultValueDescription: String { duration?.brief ?? "off" }
}

/// `4096`, `64KiB`, `16MiB`.
struct ByteCountArgument: ExpressibleByArgument, Sendable {
    let byteCount: Int

    init(_ byteCount: Int) { self.byteCount = byteCount }

    init?(argument: String) {
        let units: [(suffix: String, byteCount: Int64)] = [
            ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1),
        ]
        guard let unit = units.first(where: { argument.hasSuffix($0.suffix) }),
            let amount = positiveInteger(argument.dropLast(unit.suffix.count))
        else { return nil }
        let (bytes, overflow) = amount.multipliedReportingOverflow(by: unit.byteCount)
        guard !overflow else { return nil }
        byteCount = Int(bytes)
    }

    var defaultValueDescription: String {
        switch byteCount {
        case let count where count > 0 && count % (1 << 20) == 0: "\(count >> 20)MiB"
        case let count where count > 0 && count % (1 << 10) == 0: "\(count >> 10)KiB"
        default: "\(byteCount)"
        }
    }
}

/// `auto`, or how many.
struct ShardCountArgument: ExpressibleByArgument, Sendable {
    /// Nil: one for each core.
    let count: Int?

    init(_ count: Int?) { self.count = count }

    init?(argument: String) {
        if argument == "auto" {
            count = nil
        } else {
            guard let given = Int(argument) else { return nil }
            count = given
        }
    }

    var defaultValueDescription: String { count.map(String.init) ?? "auto" }
}

/// Digits and nothing else.
private func positiveInteger(_ digits: some StringProtocol) -> Int64? {
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    return Int64(digits)
}

extension Duration {
    /// As it would be written on the command line.
    var brief: String {
        let milliseconds = self / .milliseconds(1)
        let isWhole = milliseconds.truncatingRemainder(dividingBy: 1000) == 0
        return isWhole && milliseconds > 0 ? "\(Int64(milliseconds) / 1000)s" : "\(Int64(milliseconds))ms"
    }

    var microseconds: Double { self / .microseconds(1) }
    var seconds: Double { self / .seconds(1) }
}
