// What is wrong with one listener. Whether its files can be read, and its address bound, is found out by who uses them.

extension Listener {
    var problems: [Problem] {
        nameProblems + addressProblems + speechProblems + speechKeyProblems + foreignProblems + securityProblems
    }

    private func problem<Content>(
        _ severity: Problem.Severity, _ key: Key<Content>, _ reason: String
    ) -> Problem {
        let own = origin(of: key)
        return Problem(severity, own == .standard ? origin : own, path(of: key.option), reason)
    }

    private var nameProblems: [Problem] {
        let isUsable = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard !isUsable else { return [] }
        let reason = "letters, digits, dots, dashes and underscores, found \"\(name)\""
        return [problem(.error, ListenerKeys.name, reason)]
    }

    private var addressProblems: [Problem] {
        guard self[ListenerKeys.address] != nil else {
            return [problem(.error, ListenerKeys.address, "missing: write HOST:PORT, [IPV6]:PORT or unix:PATH")]
        }
        // Flags are not read by their option's kind.
        let reason = AddressText.problem(of: address, for: .listen)
        return reason.map { [problem(.error, ListenerKeys.address, $0)] } ?? []
    }

    private var speechProblems: [Problem] {
        switch speaks {
        case .packet:
            guard security == .none, !AddressText.isLocal(address), !address.isEmpty else { return [] }
            let reason = "nothing protects \(address): use handshake or tls, or a network that is trusted as a whole"
            guard isOwn(ListenerKeys.security.option) else {
                return [problem(.warning, TransportKeys.encryptionEnabled, reason)]
            }
            return [problem(.warning, ListenerKeys.security, reason)]
        case .relay:
            if security == .handshake {
                return [problem(.error, ListenerKeys.security, "relay speaks WebSocket: none or tls")]
            }
            return openRelayReason.map { [problem(.warning, ListenerKeys.security, $0)] } ?? []
        case .admin:
            var problems: [Problem] = []
            if security == .handshake {
                problems.append(problem(.error, ListenerKeys.security, "admin speaks HTTP: none or tls"))
            }
            // What answers only so much was meant for others.
            if !AddressText.isLocal(address), security == .none, self[ListenerKeys.answers] == AdminPaths.all.rawValue {
                problems.append(
                    problem(.warning, ListenerKeys.address, "others can reach it: use 127.0.0.1, or security tls"))
            }
            return problems
        }
    }

    /// What it says about a security that it does not have.
    private var foreignProblems: [Problem] {
        OptionTable.all.filter { $0.isListenerOverridable && isOwn($0) && $0.section.rawValue != security.rawValue }
            .map { option in
                Problem(
                    .error, setting(of: option).origin, path(of: option),
                    "of no effect with security \(security.rawValue): leave it out, or use \(option.section.rawValue)")
            }
    }

    private var securityProblems: [Problem] {
        switch security {
        case .none: []
        case .handshake: handshakeProblems
        case .tls: tlsProblems
        }
    }

    private var handshakeProblems: [Problem] {
        guard self[HandshakeKeys.presharedKey] != nil, self[HandshakeKeys.presharedKeyFile] != nil else {
            return []
        }
        return [problem(.error, HandshakeKeys.presharedKey, "beside psk_file: one key is enough; leave one out")]
    }

    private var tlsProblems: [Problem] {
        var problems = certificateProblems
        let believes = self[TLSKeys.authority] != nil || !self[TLSKeys.pins].isEmpty
        switch self[TLSKeys.verifyClient] {
        case "none" where believes:
            let reason = "none, so ca and pinned_sha256 are of no effect: use optional or required, or leave them out"
            problems.append(problem(.error, TLSKeys.verifyClient, reason))
        case "optional" where !believes, "required" where !believes:
            let reason = "nothing to verify by: name the clients' CA (ca), or pinned_sha256"
            problems.append(problem(.error, TLSKeys.verifyClient, reason))
        default: break
        }
        return problems
    }

    /// A certificate goes with its key. With `--relay` one of them alone is what asks for TLS, so it is told there, by
    /// the names that this mode has for them.
    private var certificateProblems: [Problem] {
        let (certificate, key) = (TLSKeys.certificate, TLSKeys.key)
        guard self[certificate] == nil || self[key] == nil else { return [] }
        let isRelay = configuration.overrides.relay != nil
        if isRelay, self[certificate] != nil {
            return [problem(.error, certificate, "without its private key: name that with --tls-key-file")]
        }
        if isRelay, self[key] != nil {
            return [problem(.error, key, "without its certificate: name that with --tls-cert-file")]
        }
        let flags = isRelay ? "--tls-cert-file and --tls-key-file" : "--tls-certificate and --tls-key"
        let reason = "tls needs \(flags), or in a file certificate and key in [tls]; make both with: apus certs "
            + "self-signed NAME --san HOST"
        return [problem(.error, ListenerKeys.security, reason)]
    }
}
