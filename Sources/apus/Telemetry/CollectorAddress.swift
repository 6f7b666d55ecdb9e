// Where a collector takes metrics: an http URL, as people write it.

/// `http://HOST[:PORT][/PATH]`. The port is 4318 and the path `/v1/metrics` when they are left out (OTLP/HTTP).
struct CollectorAddress: Equatable, CustomStringConvertible {
    let host: String
    let port: UInt16
    let path: String

    enum Problem: Error, Equatable, CustomStringConvertible {
        case scheme(String)
        case host(String)
        case port(String)

        var description: String {
            switch self {
            case .scheme(let text):
                "\(text): a collector is asked over http://HOST[:PORT][/PATH]; for TLS, run one on this host"
            case .host(let text): "\(text): it names no host"
            case .port(let text): "\(text): its port is not 1 to 65535"
            }
        }
    }

    init(parsing text: String) throws(Problem) {
        guard text.lowercased().hasPrefix("http://") else { throw .scheme(text) }
        let rest = text.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        let name = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        let plain = name.hasPrefix("[") ? name.dropFirst().dropLast() : name
        let isNamed = !plain.isEmpty && plain.utf8.allSatisfy { 0x21...0x7E ~= $0 && !"/?#@\\".utf8.contains($0) }
        guard isNamed, name.count <= authority.count, path.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw .host(text)
        }
        host = String(plain)
        let suffix = authority.dropFirst(name.count)
        guard !suffix.isEmpty else {
            port = 4318
            self.path = path.isEmpty ? "/v1/metrics" : String(path)
            return
        }
        guard suffix.hasPrefix(":"), let number = UInt16(suffix.dropFirst()), number > 0 else { throw .port(text) }
        port = number
        self.path = path.isEmpty ? "/v1/metrics" : String(path)
    }

    /// As the Host field has it.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    var description: String { "http://\(authority)\(path)" }
}
