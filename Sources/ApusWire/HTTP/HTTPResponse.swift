// A response as the bytes that leave (RFC 9112 §4). For the cold side of a server: it makes arrays.

public struct HTTPField: Equatable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// A line break in a value would begin a field, or a message, that nobody meant.
    func append(to head: inout String) {
        precondition(!name.isEmpty && name.utf8.allSatisfy(HTTPByte.isToken), "a field's name is a token")
        precondition(!value.utf8.contains(where: HTTPByte.isControl), "a field's value has no control bytes")
        head += "\(name): \(value)\r\n"
    }
}

public struct HTTPResponse: Equatable, Sendable {
    public var status: HTTPStatus
    /// Besides Upgrade, Content-Length, Connection and Date, which `encode` writes.
    public var fields: [HTTPField]
    /// The protocol that must be asked for instead, as 426 has to say (RFC 9110 §15.5.22).
    public var upgrade: String?
    public var body: [UInt8]

    public init(_ status: HTTPStatus, fields: [HTTPField] = [], upgrade: String? = nil, body: [UInt8] = []) {
        self.status = status
        self.fields = fields
        self.upgrade = upgrade
        self.body = body
    }

    /// - Parameters:
    ///   - unixSeconds: now, for the Date field.
    ///   - keepsAlive: whether the connection stays open behind it.
    ///   - minorVersion: of the request: HTTP/1.0 peers are told when the connection stays.
    ///   - sendsBody: false for HEAD, whose Content-Length is that of the body it does not get.
    public func encode(
        unixSeconds: UInt64, keepsAlive: Bool, minorVersion: UInt8 = 1, sendsBody: Bool = true
    ) -> [UInt8] {
        var head = "HTTP/1.1 \(status.rawValue) \(status.phrase)\r\n"
        for field in fields { field.append(to: &head) }
        HTTPField("Content-Length", "\(body.count)").append(to: &head)
        HTTPField("Date", HTTPDate.text(unixSeconds: unixSeconds)).append(to: &head)
        if let upgrade { HTTPField("Upgrade", upgrade).append(to: &head) }
        let options = connectionOptions(keepsAlive: keepsAlive, minorVersion: minorVersion)
        if !options.isEmpty { HTTPField("Connection", options.joined(separator: ", ")).append(to: &head) }
        head += "\r\n"
        return sendsBody ? Array(head.utf8) + body : Array(head.utf8)
    }

    /// In one field: an Upgrade must be named there (RFC 9110 §7.8), and so must the end of the connection (RFC 9112
    /// §9.6).
    private func connectionOptions(keepsAlive: Bool, minorVersion: UInt8) -> [String] {
        var options = upgrade == nil ? [] : ["Upgrade"]
        if !keepsAlive {
            options.append("close")
        } else if minorVersion == 0 {
            options.append("keep-alive")
        }
        return options
    }
}

/// Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
public enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    public static func text(unixSeconds: UInt64) -> String {
        let (day, second) = unixSeconds.quotientAndRemainder(dividingBy: 86_400)
        let date = civil(daysSince1970: Int(min(day, 100_000_000)))
        let clock = [second / 3600, second / 60 % 60, second % 60].map { two(Int($0)) }.joined(separator: ":")
        let name = days[Int(day % 7)]
        return "\(name), \(two(date.day)) \(months[date.month - 1]) \(date.year) \(clock) GMT"
    }

    /// For what is in a body: `1994-11-06T08:49:37.125Z` (RFC 3339 §5.6).
    public static func internetText(unixMilliseconds: UInt64) -> String {
        let (seconds, millisecond) = unixMilliseconds.quotientAndRemainder(dividingBy: 1000)
        let (day, second) = seconds.quotientAndRemainder(dividingBy: 86_400)
        // Four digits hold no year after 9999.
        let date = civil(daysSince1970: Int(min(day, 2_932_896)))
        let clock = [second / 3600, second / 60 % 60, second % 60].map { two(Int($0)) }.joined(separator: ":")
        let fraction = "\(millisecond + 1000)".dropFirst()
        return "\(date.year)-\(two(date.month))-\(two(date.day))T\(clock).\(fraction)Z"
    }

    /// The Gregorian date (Hinnant, "chrono-compatible low-level date algorithms"): years begin in March there, so that
    /// the leap day is the last of a year.
    private static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let (era, dayOfEra) = shifted.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
