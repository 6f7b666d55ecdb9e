// A moment as text: RFC 3339 in UTC with microseconds, `2026-11-21T17:40:00.123456Z`.

struct TimeText: CustomStringConvertible {
    private let year, month, day: Int64
    /// Of that day.
    private let microseconds: Int64

    /// Years that four digits do not hold become the nearest that they do.
    init(wallMicroseconds: Int64) {
        let (first, last): (Int64, Int64) = (-62_167_219_200_000_000, 253_402_300_799_999_999)
        let moment = min(max(wallMicroseconds, first), last)
        let dayLength: Int64 = 86_400_000_000
        microseconds = (moment % dayLength + dayLength) % dayLength
        (year, month, day) = TimeText.date(ofDay: (moment - microseconds) / dayLength)
    }

    /// The date of a day counted from 1970-01-01, in the Gregorian calendar. Years begin in March here, so that the
    /// leap day is the last; 400 of them are 146,097 days (Hinnant, "chrono-compatible low-level date algorithms").
    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    var description: String {
        let seconds = microseconds / 1_000_000
        let date = "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))"
        let time = "\(digits(seconds / 3600, 2)):\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2))"
        return "\(date)T\(time).\(digits(microseconds % 1_000_000, 6))Z"
    }

    private func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
