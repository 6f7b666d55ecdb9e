// OpenSSL's SSL_CTX with everything decided: one per shard, so that shards share no lock in it.

import COpenSSL

/// A new certificate means a new context; sessions keep the one they began with.
public struct TLSContext: ~Copyable {
    let storage: TLSContextStorage

    /// - Parameter tickets: of the process; unused where the settings say not to resume.
    public init(server material: TLSMaterial, tickets: TicketKeys) throws(TLSConfigurationError) {
        precondition(material.settings.role == .server, "a client's settings")
        let storage = try TLSContextStorage(material, tickets)
        try storage.configureServer()
        self.storage = storage
    }

    public init(client material: TLSMaterial) throws(TLSConfigurationError) {
        precondition(material.settings.role == .client, "a server's settings")
        let storage = try TLSContextStorage(material, nil)
        try storage.configureClient()
        self.storage = storage
    }
}

/// Owns the SSL_CTX and whatever its callbacks reach. Each session holds it, so it outlives them all.
@safe
final class TLSContextStorage {
    let pointer: OpaquePointer
    let material: TLSMaterial
    let tickets: TicketKeys?

    var settings: TLSSettings { material.settings }

    fileprivate init(_ material: TLSMaterial, _ tickets: TicketKeys?) throws(TLSConfigurationError) {
        let method = unsafe material.settings.role == .server ? TLS_server_method() : TLS_client_method()
        guard let context = unsafe SSL_CTX_new(method) else { throw TLSContextStorage.failure("a context") }
        unsafe pointer = context
        self.material = material
        self.tickets = tickets
        try configure()
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    static func failure(_ attempt: String) -> TLSConfigurationError {
        TLSConfigurationError("OpenSSL", "cannot make or set \(attempt): \(OpenSSLErrors.takeText())")
    }

    private func require(_ succeeded: Bool, _ attempt: String) throws(TLSConfigurationError) {
        guard succeeded else { throw TLSContextStorage.failure(attempt) }
    }
}

// MARK: Both roles

extension TLSContextStorage {
    /// Certificates of one peer's chain, of which strangers send any number. Real chains take 2 to 6 KiB.
    static let peerChainByteCountMax = 64 << 10
    static let verificationDepthMax: Int32 = 8
    /// 112 bits: no RSA key below 2048, no SHA-1 in a chain or a signature.
    static let securityLevel: Int32 = 2
    static let groups = "X25519:P-256:P-384"
    static let signatureAlgorithms = [
        "ECDSA+SHA256", "ed25519", "RSA-PSS+SHA256", "ECDSA+SHA384", "RSA-PSS+SHA384", "ECDSA+SHA512",
        "RSA-PSS+SHA512", "RSA+SHA256", "RSA+SHA384", "RSA+SHA512",
    ].joined(separator: ":")

    private func configure() throws(TLSConfigurationError) {
        unsafe SSL_CTX_set_security_level(pointer, TLSContextStorage.securityLevel)
        let (min, max) = (Int32(settings.versionMin.rawValue), Int32(settings.versionMax.rawValue))
        try require(unsafe tls_context_set_versions(pointer, min, max) == 1, "the versions")
        let ciphers = settings.cipherList + CipherNames.exclusions
        try require(unsafe SSL_CTX_set_cipher_list(pointer, ciphers) == 1, "the cipher list")
        try require(unsafe SSL_CTX_set_ciphersuites(pointer, settings.cipherSuites) == 1, "the cipher suites")
        try require(unsafe tls_context_set_groups(pointer, TLSContextStorage.groups) == 1, "the groups")
        let algorithms = TLSContextStorage.signatureAlgorithms
        try require(
            unsafe tls_context_set_signature_algorithms(pointer, algorithms) == 1, "the signature algorithms")
        configureBehaviour()
        try configureIdentity()
        try configureVerification()
    }

    private func configureBehaviour() {
        var options = tls_option_no_renegotiation | tls_option_no_compression
        if !settings.resumes { options |= tls_option_no_ticket }
        unsafe SSL_CTX_set_options(pointer, options)
        // Reading ahead was measured and gains nothing here: the wire lies in memory already.
        // A partial write is one record; the buffer may move between two tries; a session that has nothing half-read
        // or half-written holds no record buffers.
        let modes = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS
        unsafe tls_context_set_mode(pointer, Int(modes))
        // Tickets carry everything; whatever OpenSSL kept by itself would grow with strangers.
        unsafe tls_context_set_cache_mode(pointer, Int(SSL_SESS_CACHE_OFF))
        unsafe tls_context_set_peer_chain_max(pointer, TLSContextStorage.peerChainByteCountMax)
    }

    private func configureIdentity() throws(TLSConfigurationError) {
        guard let key = material.key, let leaf = material.chain.first else { return }
        try require(unsafe SSL_CTX_use_certificate(pointer, leaf.pointer) == 1, "the certificate")
        for issuer in material.chain.dropFirst() {
            try require(unsafe tls_context_add_issuer(pointer, issuer.pointer) == 1, "the certificate chain")
        }
        // A copy of its own, since every signature counts references and takes locks of the key.
        guard let copy = unsafe EVP_PKEY_dup(key.pointer) else { throw TLSContextStorage.failure("the private key") }
        defer { unsafe EVP_PKEY_free(copy) }
        try require(unsafe SSL_CTX_use_PrivateKey(pointer, copy) == 1, "the private key")
    }

    private func configureVerification() throws(TLSConfigurationError) {
        unsafe SSL_CTX_set_verify(pointer, verificationMode, nil)
        unsafe SSL_CTX_set_verify_depth(pointer, TLSContextStorage.verificationDepthMax)
        // Whoever is named in the file is believed, an intermediate without its root too.
        _ = unsafe X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(pointer), UInt(X509_V_FLAG_PARTIAL_CHAIN))
        let verification = unsafe Unmanaged.passUnretained(material.verification).toOpaque()
        unsafe SSL_CTX_set_cert_verify_callback(pointer, verifyPeer, verification)
        try addAuthorities()
        let digest = material.verificationDigest
        try require(
            unsafe SSL_CTX_set_session_id_context(pointer, digest, UInt32(digest.count)) == 1, "the session context")
    }

    private var verificationMode: Int32 {
        switch (settings.role, settings.clientVerification) {
        case (.client, _), (.server, .optional): SSL_VERIFY_PEER
        case (.server, .required): SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        case (.server, .none): SSL_VERIFY_NONE
        }
    }

    private func addAuthorities() throws(TLSConfigurationError) {
        let store = unsafe SSL_CTX_get_cert_store(pointer)
        for authority in material.authorities {
            try require(unsafe X509_STORE_add_cert(store, authority.pointer) == 1, "the authorities")
        }
        if case .system = settings.authorities {
            try require(unsafe X509_STORE_set_default_paths(store) == 1, "the system's authorities")
        }
    }
}

// MARK: One role

extension TLSContextStorage {
    fileprivate func configureServer() throws(TLSConfigurationError) {
        unsafe SSL_CTX_set_options(pointer, tls_option_server_preference | tls_option_prioritize_chacha)
        if settings.clientVerification != .none {
            for authority in material.authorities {
                try require(unsafe SSL_CTX_add_client_CA(pointer, authority.pointer) == 1, "the clients' authorities")
            }
        }
        if !material.protocols.isEmpty {
            let protocols = unsafe Unmanaged.passUnretained(material.protocols).toOpaque()
            unsafe SSL_CTX_set_alpn_select_cb(pointer, selectProtocol, protocols)
        }
        try configureTickets()
    }

    private func configureTickets() throws(TLSConfigurationError) {
        let count = settings.resumes ? settings.ticketCount : 0
        try require(unsafe SSL_CTX_set_num_tickets(pointer, count) == 1, "the number of tickets")
        // Nothing is accepted that an eavesdropper could replay.
        try require(unsafe SSL_CTX_set_max_early_data(pointer, 0) == 1, "early data")
        guard settings.resumes, let tickets else { return }
        _ = unsafe SSL_CTX_set_timeout(pointer, Int(tickets.lifetimeSeconds))
        // Where the ticket callback, which is given no argument of ours, finds the keys.
        let keys = unsafe Unmanaged.passUnretained(tickets).toOpaque()
        try require(unsafe SSL_CTX_set_ex_data(pointer, 0, keys) == 1, "the ticket keys")
        try require(unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(pointer, useTicketKey) == 1, "the ticket keys")
    }

    fileprivate func configureClient() throws(TLSConfigurationError) {
        guard !material.protocols.isEmpty else { return }
        let wire = unsafe material.protocols.wire
        // Unlike its siblings it returns 0 when it succeeds.
        try require(unsafe SSL_CTX_set_alpn_protos(pointer, wire.baseAddress, UInt32(wire.count)) == 0, "ALPN")
    }
}

// MARK: Callbacks, each once or twice per handshake

/// The argument is the context's `PeerVerification`, which the context keeps.
private func verifyPeer(_ store: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    guard let store = unsafe store, let argument = unsafe argument else { return 0 }
    let verification = unsafe Unmanaged<PeerVerification>.fromOpaque(argument).takeUnretainedValue()
    return unsafe verification.isGood(store) ? 1 : 0
}

/// Our order decides; without a common name the handshake ends with no_application_protocol (RFC 7301 §3.2).
private func selectProtocol(
    _ session: OpaquePointer?, _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ selectedCount: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ offeredCount: UInt32,
    _ argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let argument = unsafe argument, let selected = unsafe selected else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let protocols = unsafe Unmanaged<ApplicationProtocols>.fromOpaque(argument).takeUnretainedValue().wire
    var choice: UnsafeMutablePointer<UInt8>?
    // It points `choice` into our list, which the context keeps.
    let result = unsafe SSL_select_next_proto(
        &choice, selectedCount, protocols.baseAddress, UInt32(protocols.count), offered, offeredCount)
    guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    unsafe selected.pointee = unsafe UnsafePointer(choice)
    return SSL_TLSEXT_ERR_OK
}

/// Returns as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) asks: 0 no ticket or no such key, 1 done, 2 done and the ticket
/// is to be renewed.
private func useTicketKey(
    _ session: OpaquePointer?, _ name: UnsafeMutablePointer<UInt8>?, _ vector: UnsafeMutablePointer<UInt8>?,
    _ cipher: OpaquePointer?, _ authenticator: OpaquePointer?, _ seals: Int32
) -> Int32 {
    guard let keys = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), 0), let name = unsafe name,
        let vector = unsafe vector, let cipher = unsafe cipher, let authenticator = unsafe authenticator
    else { return 0 }
    let tickets = unsafe Unmanaged<TicketKeys>.fromOpaque(keys).takeUnretainedValue()
    if seals == 1 {
        return unsafe tickets.prepareSealing(
            name: name, vector: vector, cipher: cipher, authenticator: authenticator) ? 1 : 0
    }
    let age = unsafe tickets.prepareOpening(name: name, vector: vector, cipher: cipher, authenticator: authenticator)
    switch age {
    case nil: return 0
    case .previous: return 2
    // A TLS 1.3 client should show a ticket once only, or its connections can be told to be its (RFC 8446 §C.4).
    case .current: return unsafe SSL_version(session) == TLS1_3_VERSION ? 2 : 1
    }
}
