// Numbers for people to read, in little room and without anything that a plain terminal cannot show.

import Foundation

func fixed(_ value: Double, digits: Int) -> String { String(format: "%.\(digits)f", value) }

/// `1 connection`, `2 connections`.
func counted(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }

/// A limit, of which there may be none.
func bound(_ limit: Int) -> String { limit == .max ? "unlimited" : "\(limit)" }

/// A size of memory: `8 MiB`, `1.5 GiB`.
func binary(_ byteCount: Int) -> String {
    let units: [(name: String, byteCount: Int)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    guard let unit = units.first(where: { byteCount >= $0.byteCount }) else { return "\(byteCount) B" }
    let amount = Double(byteCount) / Double(unit.byteCount)
    return "\(fixed(amount, digits: amount == amount.rounded() ? 0 : 1)) \(unit.name)"
}

/// A count or a rate in at most five characters: `0`, `7.5`, `640`, `12.3k`, `1.25M`.
func brief(_ value: Double) -> String {
    guard value.isFinite else { return "-" }
    switch abs(value) {
    case 999.5e12...: return String(format: "%.0e", value)
    case 999.5e9...: return fixed(value / 1e12, digits: 1) + "T"
    case 999.5e6...: return scaled(value / 1e9) + "G"
    case 999.5e3...: return scaled(value / 1e6) + "M"
    case 9999.5...: return scaled(value / 1e3) + "k"
    case 99.95...: return fixed(value, digits: 0)
    default: return value == value.rounded() ? fixed(value, digits: 0) : fixed(value, digits: 1)
    }
}

private func scaled(_ value: Double) -> String {
    fixed(value, digits: abs(value) < 9.995 ? 2 : abs(value) < 99.95 ? 1 : 0)
}

/// `850us`, `1.25ms`, `2.0s`.
func briefSeconds(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e6 else { return "-" }
    switch seconds {
    case 0.9995...: return fixed(seconds, digits: seconds < 99.95 ? 1 : 0) + "s"
    case 0.0009995...: return fixed(seconds * 1e3, digits: seconds < 0.009995 ? 2 : seconds < 0.09995 ? 1 : 0) + "ms"
    case 0.0000995...: return fixed(seconds * 1e6, digits: 0) + "us"
    default: return fixed(seconds * 1e6, digits: 1) + "us"
    }
}

/// How long something has been there: `4d 02:11:09`.
func age(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "-" }
    let whole = Int(seconds)
    let clock = String(format: "%02d:%02d:%02d", whole / 3600 % 24, whole / 60 % 60, whole % 60)
    return whole >= 86_400 ? "\(whole / 86_400)d \(clock)" : clock
}
