// Moments as text, against `date -u`'s and against Foundation's calendar.

import Foundation
import Testing

@testable import ApusLogging

struct TimeTextTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (1_709_251_199_000_001, "2024-02-29T23:59:59.000001Z"),
        (1_795_282_800_123_456, "2026-11-21T17:40:00.123456Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (Int64.max, "9999-12-31T23:59:59.999999Z"),
        (Int64.min, "0000-01-01T00:00:00.000000Z"),
    ] as [(Int64, String)])
    func knownMoments(_ microseconds: Int64, _ text: String) {
        #expect("\(TimeText(wallMicroseconds: microseconds))" == text)
    }

    @Test func everyDayOfACenturyIsTheCalendars() {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        for day in stride(from: -10_000, to: 36_525, by: 1) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400)
            let parts = calendar.dateComponents([.year, .month, .day], from: date)
            let expected = String(
                format: "%04d-%02d-%02dT00:00:00.000000Z", parts.year ?? 0, parts.month ?? 0, parts.day ?? 0)
            #expect("\(TimeText(wallMicroseconds: Int64(day) * 86_400_000_000))" == expected)
        }
    }
}
