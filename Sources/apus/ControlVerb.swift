// What `apus reload`, `apus drain` and `apus log-level` share: ask the control socket, print what it said, and leave
// with a code that says whether it was done.

import ArgumentParser
import Foundation

struct ControlOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The server's control socket.", valueName: "unix:PATH"))
    var control = ControlConnection.defaultAddress

    @Option(help: "For the answer: 250ms, 5s, 2m, or a bare number of milliseconds.")
    var timeout = DurationArgument(.seconds(30))

    @Flag(help: "Print one JSON object instead.")
    var json = false

    /// Ask for one change.
    /// - Parameter refusal: the exit code when the server refuses what it was asked because of what is in it.
    func post(_ path: String, kind: String, refusal: ExitStatus = .runtimeFailure) throws {
        let response = try ControlConnection.open(to: control, timeout: timeout.duration).request("POST", path)
        let report = ControlReport(kind: kind, control: control, response)
        if json { try Output.json(report) }
        guard response.isSuccess else {
            let status = [400, 409, 422].contains(response.status) ? refusal : .runtimeFailure
            // What is printed as JSON says why; somebody who reads is told on stderr.
            throw Failure(status, "apus: \(kind) refused: \(report.message)")
        }
        if !json { try Output.line(report.message) }
    }
}

/// The answer, as text and as an object.
struct ControlReport: Encodable {
    let kind: String
    let control: String
    let done: Bool
    let status: Int
    /// Plain text, or the text of an object that is no longer one.
    let message: String
    /// What the server sent as JSON.
    let answer: JSONValue?

    init(kind: String, control: String, _ response: ControlResponse) {
        self.kind = kind
        self.control = control
        done = response.isSuccess
        status = response.status
        answer = response.isJSON ? JSONValue(parsing: response.body) : nil
        let text = response.text.trimmingCharacters(in: .whitespacesAndNewlines)
        message = answer?.lines ?? (text.isEmpty ? (response.isSuccess ? "done" : "status \(response.status)") : text)
    }
}

/// JSON whose shape the server decides.
enum JSONValue: Codable, Equatable {
    case null
    case truth(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    /// Nil when it is not JSON.
    init?(parsing bytes: [UInt8]) {
        do {
            self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        } catch {
            return nil
        }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let truth = JSONValue.attempt({ try container.decode(Bool.self) }) {
            self = .truth(truth)
        } else if let number = JSONValue.attempt({ try container.decode(Double.self) }) {
            self = .number(number)
        } else if let text = JSONValue.attempt({ try container.decode(String.self) }) {
            self = .text(text)
        } else if let list = JSONValue.attempt({ try container.decode([JSONValue].self) }) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    /// Nil when it is of another type.
    private static func attempt<Value>(_ decode: () throws -> Value) -> Value? {
        do { return try decode() } catch { return nil }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .truth(let truth): try container.encode(truth)
        case .number(let number):
            if let whole = Int64(exactly: number) { try container.encode(whole) } else { try container.encode(number) }
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        case .object(let object): try container.encode(object)
        }
    }

    /// An object as lines `key: value`, its message first; anything else as it would be written.
    var lines: String {
        guard case .object(let object) = self else { return text }
        let message = object["message"].map { [$0.text] } ?? []
        let others = object.filter { $0.key != "message" }.sorted { $0.key < $1.key }
        return (message + others.map { "\($0.key): \($0.value.text)" }).joined(separator: "\n")
    }

    private var text: String {
        switch self {
        case .null: "none"
        case .truth(let truth): truth ? "yes" : "no"
        case .number(let number): Int64(exactly: number).map(String.init) ?? "\(number)"
        case .text(let text): text
        case .list(let list): list.isEmpty ? "none" : list.map(\.text).joined(separator: ", ")
        case .object(let object):
            object.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.text)" }.joined(separator: ", ")
        }
    }
}
