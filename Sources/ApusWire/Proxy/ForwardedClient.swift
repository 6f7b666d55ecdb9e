// Who the client is that a trusted proxy speaks for, from the fields of its request. It must never be asked for a
// connection that no trusted proxy has made.

/// Two ways of proxies to name their client, and what makes each one true:
///
/// - **X-Forwarded-For** grows from left to right, each proxy adding who it heard from: what trusted proxies have added
///   is true, and whatever stands left of it a client may have written. HAProxy adds to it, and leaves X-Real-IP as the
///   client sent it.
/// - **X-Real-IP**, with X-Real-Port or without, is true where the proxy overwrites it. nginx does so when it is told
///   to, and leaves X-Forwarded-For as the client sent it.
///
/// So X-Forwarded-For counts where it is there, and X-Real-IP without it. Where both are there, one of them may be the
/// client's own, and nothing in the request says which: they must agree, or nobody is believed.
public enum ForwardedClient {
    /// Where the client is; port 0 where nobody says it. Nil when no field names anybody.
    ///
    /// X-Forwarded-For names the last of its entries that is no trusted proxy's, or the first where all are.
    /// X-Real-Port belongs to X-Real-IP alone; of several the last counts.
    ///
    /// - Parameter request: as `HTTPRequestDecoder` found it in `bytes`.
    /// - Throws: when the two name different clients. X-Real-IP agrees also where it names a trusted proxy: that is
    ///   then who came to the proxy next to us, and whom it speaks for stands in X-Forwarded-For.
    public static func endpoint(
        in request: HTTPRequestLayout, _ bytes: RawSpan, trusting proxies: CIDRList
    ) throws(ForwardedClientViolation) -> IPEndpoint? {
        let fields = ForwardingFields(request.fields, in: bytes, trusting: proxies)
        let real = fields.realAddress.flatMap { IPAddress(parsing: bytes, $0) }
        guard fields.hasForwarded else {
            let port = fields.realPort.flatMap { Decimal.read(bytes, $0, max: 65535) } ?? 0
            return real.map { IPEndpoint($0, port: UInt16(port)) }
        }
        if let real, real != fields.forwarded.client, !proxies.contains(real) { throw .twoClients }
        return fields.forwarded.client.map { IPEndpoint($0, port: 0) }
    }
}

/// Why a trusted proxy's word is not believed.
public enum ForwardedClientViolation: Error, BitwiseCopyable, Equatable, Sendable {
    /// X-Real-IP and X-Forwarded-For name different clients: the client has sent one of them, or a proxy in between is
    /// not known as one.
    case twoClients
}

extension ForwardedClientViolation: CustomStringConvertible {
    public var description: String {
        "X-Real-IP and X-Forwarded-For name different clients: let the proxy overwrite both, and trust all proxies"
    }
}

/// What a request says of its client, found in one walk over its fields.
private struct ForwardingFields {
    private(set) var realAddress: Range<Int>?
    private(set) var realPort: Range<Int>?
    private(set) var hasForwarded = false
    private(set) var forwarded = Forwarded()

    init(_ fields: Range<Int>, in bytes: RawSpan, trusting proxies: CIDRList) {
        var lines = HTTPFieldLines(fields)
        while let line = lines.next(in: bytes) {
            if line.isNamed("x-real-ip", in: bytes) { realAddress = line.value }
            if line.isNamed("x-real-port", in: bytes) { realPort = line.value }
            guard line.isNamed("x-forwarded-for", in: bytes) else { continue }
            hasForwarded = true
            forwarded.read(line.value, bytes, proxies)
        }
    }
}

/// All entries in their order, over several fields if need be.
private struct Forwarded {
    private var first: IPAddress?
    private var lastUntrusted: IPAddress?
    /// The last entry that is not trusted is no address: nothing left of it counts either.
    private var isBroken = false

    var client: IPAddress? { isBroken ? nil : lastUntrusted ?? first }

    mutating func read(_ value: Range<Int>, _ bytes: RawSpan, _ proxies: CIDRList) {
        var entries = HTTPListElements(value)
        while let entry = entries.next(in: bytes) {
            guard let address = IPAddress(parsing: bytes, entry) else {
                isBroken = true
                continue
            }
            first = first ?? address
            guard !proxies.contains(address) else { continue }
            (lastUntrusted, isBroken) = (address, false)
        }
    }
}
