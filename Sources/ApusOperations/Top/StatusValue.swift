// A JSON value as it comes, and a way to ask it for what may not be there: servers of other versions say more or less
// than this one knows.

import Foundation

enum StatusValue: Decodable, Equatable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([StatusValue])
    case object([String: StatusValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let list = StatusValue.attempt([StatusValue].self, container) {
            self = .list(list)
        } else if let object = StatusValue.attempt([String: StatusValue].self, container) {
            self = .object(object)
        } else if let text = StatusValue.attempt(String.self, container) {
            self = .text(text)
        } else if let bool = StatusValue.attempt(Bool.self, container) {
            self = .bool(bool)
        } else {
            self = .number(try container.decode(Double.self))
        }
    }

    /// Nil when the value is of another kind, which is a question here and no error.
    private static func attempt<Value: Decodable>(
        _ type: Value.Type, _ container: any SingleValueDecodingContainer
    ) -> Value? {
        do {
            return try container.decode(type)
        } catch {
            return nil
        }
    }

    subscript(key: String) -> StatusValue {
        if case .object(let members) = self { members[key] ?? .null } else { .null }
    }

    /// No counter counts so far that differences and rates could overflow; what does is none.
    private static let magnitudeMax = 1e18

    var number: Double? {
        guard case .number(let number) = self, abs(number) <= StatusValue.magnitudeMax else { return nil }
        return number
    }

    var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
    var list: [StatusValue] { if case .list(let list) = self { list } else { [] } }

    /// Nothing of what a server sends may move a terminal's cursor, so what is no plain character is shown as `?`.
    var text: String? {
        guard case .text(let text) = self else { return nil }
        return StatusValue.plain(text)
    }

    /// Members that are numbers, in the order of their names.
    var numbers: [(name: String, value: Double)] {
        guard case .object(let members) = self else { return [] }
        return members.compactMap { name, value in value.number.map { (StatusValue.plain(name), $0) } }
            .sorted { $0.0 < $1.0 }
    }

    private static func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { (0x20...0x7E).contains($0.value) ? $0 : "?" }))
    }
}
