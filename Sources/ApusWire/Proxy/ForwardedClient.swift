// Who the client is that a trusted proxy speaks for, from the fields of its request. It must never be asked for a
// connection that no trusted proxy has made.

public enum ForwardedClient {
    /// The client's address: X-Real-IP when it is there, otherwise the last entry of X-Forwarded-For that is no trusted
    /// proxy's own, and the first where all are. Nil when neither says, or says nothing that is an address.
    ///
    /// X-Forwarded-For is written from left to right, each proxy adding who it heard from: only what trusted proxies
    /// have added may be believed, and a client can write whatever it likes before that. X-Real-IP has no such order:
    /// the proxy has to overwrite what the client sent.
    ///
    /// - Parameter request: as `HTTPRequestDecoder` found it in `bytes`.
    public static func address(
        in request: HTTPRequestLayout, _ bytes: RawSpan, trusting proxies: CIDRList
    ) -> IPAddress? {
        var lines = HTTPFieldLines(request.fields)
        var real: Range<Int>?
        var forwarded = Forwarded()
        while let line = lines.next(in: bytes) {
            if line.isNamed("x-real-ip", in: bytes) { real = line.value }
            if line.isNamed("x-forwarded-for", in: bytes) { forwarded.read(line.value, bytes, proxies) }
        }
        if let real, let address = IPAddress(parsing: bytes, real) { return address }
        return forwarded.client
    }

    /// X-Real-Port, which some proxies send beside X-Real-IP.
    public static func port(in upgrade: WebSocketUpgrade, _ bytes: RawSpan) -> UInt16? {
        upgrade.realPort.flatMap { Decimal.read(bytes, $0, max: 65535) }.map(UInt16.init)
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
