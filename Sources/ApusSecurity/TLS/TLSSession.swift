// One side of one TLS connection: bytes of the wire in, plaintext and records out. It knows no socket and keeps no
// pointer to what it is lent.

import COpenSSL

/// Between calls an open session without half a record holds no record buffers (SSL_MODE_RELEASE_BUFFERS).
@safe
public struct TLSSession: ~Copyable {
    /// Room in which any call makes progress; records are then small. See `recordRoomByteCount`.
    public static let recordRoomByteCountMin = fragmentByteCountMin + recordOverheadMax
    /// Room for one record of the greatest size. A handshake flight may need several times this.
    public static let recordRoomByteCount = recordByteCountMax + recordOverheadMax

    /// RFC 8446 §5.1.
    static let recordByteCountMax = 16 << 10
    /// Header 5, explicit vector 16, MAC 48 and padding 16 of TLS 1.2's worst; before it a KeyUpdate of 27.
    static let recordOverheadMax = 128
    /// A record is cut short to fill the room only when this much goes into it: each one costs as much as ten bytes
    /// of header and a pass through the cipher's set-up.
    static let fragmentByteCountMin = 1 << 10
    /// AES-GCM keys are good for 2^24.5 records (RFC 8446 §5.5).
    static let keyRecordCountMax = 1 << 24

    private let session: OpaquePointer
    private let io: UnsafeMutablePointer<tls_io>
    private let context: TLSContextStorage
    private let serverName: String?
    private var failure: TLSFailure?
    private var isPeerClosed = false
    /// Whether `close` has said close_notify.
    public private(set) var isClosed = false
    public private(set) var isHandshakeComplete = false
    /// Records sealed with the current key, at most as many as there were.
    private var keyRecordCount = 0
    /// After how many records the key changes; tests make it small.
    package var keyRecordCountMax = TLSSession.keyRecordCountMax

    /// - Parameters:
    ///   - serverName: clients only, instead of the settings' one: the name or address to find in the certificate.
    ///   - resumption: clients only. It is passed over where it comes from other rules or another name.
    public init(
        _ context: borrowing TLSContext, serverName: String? = nil, resuming resumption: TLSResumption? = nil
    ) throws(TLSConfigurationError) {
        let storage = context.storage
        let name = try TLSSession.checkedName(serverName, storage.settings)
        let (session, io) = unsafe try TLSSession.open(storage, name, resumption)
        unsafe self.session = session
        unsafe self.io = io
        self.context = storage
        self.serverName = name
    }

    deinit {
        // OpenSSL takes a session out of use whose connection ends without close_notify. TLS lets it be resumed all the
        // same (RFC 5246 §7.2.1, RFC 8446 §6.1), and whoever cuts connections should not cost handshakes too.
        if failure == nil { unsafe SSL_set_shutdown(session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
        unsafe SSL_free(session)
    }

    /// Made once: OpenSSL has 127 numbers for kinds of BIO.
    private static nonisolated(unsafe) let method: OpaquePointer? = unsafe tls_io_method_new()
}

// MARK: Driving

extension TLSSession {
    /// Takes bytes of the wire. A client calls it first with none, to say hello.
    ///
    /// Plaintext that came before a failure or the peer's end is still good. What comes after the end is not taken.
    /// - Parameters:
    ///   - wire: what came and was not taken yet; it may be empty.
    ///   - plaintext: room for what was received.
    ///   - records: room for what must be sent: handshake, tickets, KeyUpdates, alerts.
    public mutating func receive(
        _ wire: UnsafeRawBufferPointer, plaintext: UnsafeMutableRawBufferPointer,
        records: UnsafeMutableRawBufferPointer
    ) -> TLSStep {
        unsafe lend(wire, records)
        let (count, state) = unsafe receive(into: plaintext)
        return unsafe takeBack(wire, records, plaintextByteCount: count, state)
    }

    /// Seals plaintext, as much as there is room for; the rest is to be offered again, unchanged.
    ///
    /// Before the handshake is complete nothing is taken. After `close` it must not be called.
    public mutating func send(
        _ plaintext: UnsafeRawBufferPointer, records: UnsafeMutableRawBufferPointer
    ) -> TLSStep {
        precondition(!isClosed, "close_notify was the last word")
        unsafe lend(UnsafeRawBufferPointer(start: nil, count: 0), records)
        let (count, state) = unsafe seal(plaintext)
        return unsafe takeBack(
            UnsafeRawBufferPointer(start: nil, count: 0), records, plaintextByteCount: count, state)
    }

    /// Says close_notify; reading goes on. During the handshake there is nothing to say, and after a failure nothing
    /// may be said: the state tells. To be called again while it wants room or wire.
    public mutating func close(records: UnsafeMutableRawBufferPointer) -> TLSStep {
        unsafe lend(UnsafeRawBufferPointer(start: nil, count: 0), records)
        let state = shutDown()
        return unsafe takeBack(
            UnsafeRawBufferPointer(start: nil, count: 0), records, plaintextByteCount: 0, state)
    }

    /// The stream has ended. Unless close_notify came before, somebody may have cut it.
    public mutating func receiveEnd() -> TLSState {
        if let failure { return .failed(failure) }
        if isPeerClosed { return .closedByPeer }
        failure = .truncated
        return .failed(.truncated)
    }

    private mutating func receive(into plaintext: UnsafeMutableRawBufferPointer) -> (Int, TLSState) {
        if let failure { return (0, .failed(failure)) }
        if isPeerClosed { return (0, .closedByPeer) }
        if !isHandshakeComplete {
            let result = unsafe SSL_do_handshake(session)
            guard result == 1 else { return (0, stalled(result)) }
            isHandshakeComplete = true
        }
        return unsafe read(into: plaintext)
    }

    private mutating func read(into plaintext: UnsafeMutableRawBufferPointer) -> (Int, TLSState) {
        var total = 0
        while hasMoreToRead {
            guard total < plaintext.count else { return (total, .wantsPlaintextRoom) }
            var count = 0
            // `total` is below the room's size, so it is not empty.
            let target = unsafe plaintext.baseAddress.unsafelyUnwrapped + total
            let result = unsafe SSL_read_ex(session, target, plaintext.count - total, &count)
            guard result == 1 else { return (total, stalled(result)) }
            total += count
        }
        return (total, .open)
    }

    /// To find out by reading that there is nothing costs a third of reading a small record: OpenSSL gets itself a
    /// buffer for it and gives it back.
    private var hasMoreToRead: Bool {
        unsafe io.pointee.wire_count > 0 || SSL_has_pending(session) == 1 || SSL_in_init(session) == 1
    }

    /// A record has begun to arrive: OpenSSL holds its bytes and a buffer for the rest.
    public var holdsPartialRecord: Bool { unsafe SSL_has_pending(session) == 1 }

    private mutating func seal(_ plaintext: UnsafeRawBufferPointer) -> (Int, TLSState) {
        if let failure { return (0, .failed(failure)) }
        guard isHandshakeComplete else { return (0, .handshaking) }
        if let obstacle = finishMessage() { return (0, obstacle) }
        var total = 0
        while total < plaintext.count {
            let left = plaintext.count - total
            let room = unsafe Int(io.pointee.room_count) - TLSSession.recordOverheadMax
            let count = min(left, TLSSession.recordByteCountMax, room)
            // Never half a record: the session would have to keep it, and whatever it must say in between would wait.
            guard count == left || count >= TLSSession.fragmentByteCountMin else { return (total, .wantsRecordRoom) }
            renewKey()
            var written = 0
            // `total` is below the count, so the plaintext is not empty.
            let source = unsafe plaintext.baseAddress.unsafelyUnwrapped + total
            let result = unsafe SSL_write_ex(session, source, count, &written)
            guard result == 1 else { return (total, stalled(result)) }
            total += written
        }
        return (total, .open)
    }

    /// Counts a record, and changes the key in good time. The KeyUpdate goes out before the record.
    private mutating func renewKey() {
        keyRecordCount += 1
        guard keyRecordCount > keyRecordCountMax else { return }
        keyRecordCount = 1
        // TLS 1.2 has no KeyUpdate: it refuses, and its keys last for 2^64 records of the peers' patience.
        if unsafe SSL_key_update(session, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 { ERR_clear_error() }
    }

    private mutating func shutDown() -> TLSState {
        if let failure { return .failed(failure) }
        guard isHandshakeComplete else { return .handshaking }
        if !isClosed {
            if let obstacle = finishMessage() { return obstacle }
            let result = unsafe SSL_shutdown(session)
            guard result >= 0 else { return stalledOutside(result) }
            isClosed = true
        }
        return isPeerClosed ? .closedByPeer : .open
    }

    /// A handshake message that is half sent or half received comes before everything else.
    private mutating func finishMessage() -> TLSState? {
        guard unsafe SSL_in_init(session) == 1 else { return nil }
        let result = unsafe SSL_do_handshake(session)
        return result == 1 ? nil : stalledOutside(result)
    }
}

// MARK: Inside a call

extension TLSSession {
    /// Lends the BIO what `takeBack` takes back: outside a call it has nothing to read from or write to.
    private func lend(_ wire: UnsafeRawBufferPointer, _ records: UnsafeMutableRawBufferPointer) {
        tls_forget_errors()
        unsafe io.pointee = tls_io(
            wire: wire.baseAddress?.assumingMemoryBound(to: UInt8.self), wire_count: wire.count,
            room: records.baseAddress?.assumingMemoryBound(to: UInt8.self), room_count: records.count)
    }

    private func takeBack(
        _ wire: UnsafeRawBufferPointer, _ records: UnsafeMutableRawBufferPointer, plaintextByteCount: Int,
        _ state: TLSState
    ) -> TLSStep {
        let step = unsafe TLSStep(
            wireByteCount: wire.count - io.pointee.wire_count, plaintextByteCount: plaintextByteCount,
            recordByteCount: records.count - io.pointee.room_count, state: state)
        unsafe io.pointee = tls_io()
        return step
    }

    /// Why a call did not go on.
    private mutating func stalled(_ result: Int32) -> TLSState {
        switch unsafe SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ:
            return isHandshakeComplete ? .open : .handshaking
        case SSL_ERROR_WANT_WRITE:
            return .wantsRecordRoom
        case SSL_ERROR_ZERO_RETURN:
            isPeerClosed = true
            return .closedByPeer
        default:
            let failure = unsafe TLSFailure.take(from: session, duringHandshake: !isHandshakeComplete)
            self.failure = failure
            return .failed(failure)
        }
    }

    /// The same outside `receive`, where there is no wire to read.
    private mutating func stalledOutside(_ result: Int32) -> TLSState {
        let state = stalled(result)
        return state == .open ? .wantsWire : state
    }
}

// MARK: Making one

extension TLSSession {
    /// OpenSSL's object and the memory that its BIO reads and writes by.
    private static func open(
        _ storage: TLSContextStorage, _ serverName: String?, _ resumption: TLSResumption?
    ) throws(TLSConfigurationError) -> (OpaquePointer, UnsafeMutablePointer<tls_io>) {
        tls_forget_errors()
        var io: UnsafeMutablePointer<tls_io>?
        guard let method = unsafe TLSSession.method,
            let session = unsafe tls_session_new(storage.pointer, method, &io), let io = unsafe io
        else { throw TLSContextStorage.failure("a session") }
        do throws(TLSConfigurationError) {
            switch storage.settings.role {
            case .server: unsafe SSL_set_accept_state(session)
            case .client: try unsafe prepareClient(session, storage, serverName, resumption)
            }
        } catch {
            unsafe SSL_free(session)
            throw error
        }
        return unsafe (session, io)
    }
}

// MARK: Clients

extension TLSSession {
    private static func checkedName(
        _ name: String?, _ settings: TLSSettings
    ) throws(TLSConfigurationError) -> String? {
        guard settings.role == .client else {
            precondition(name == nil, "a server has no server name to look for")
            return nil
        }
        let name = name ?? settings.serverName
        guard let name else {
            guard settings.believesNobody else {
                throw TLSConfigurationError("server name", "missing: say what name the server's certificate is for")
            }
            return nil
        }
        guard TLSSettings.isUsable(name) else {
            throw TLSConfigurationError("server name", "1 to 253 printable ASCII bytes: write it in its xn-- form")
        }
        return name
    }

    private static func prepareClient(
        _ session: OpaquePointer, _ storage: TLSContextStorage, _ serverName: String?, _ resumption: TLSResumption?
    ) throws(TLSConfigurationError) {
        unsafe SSL_set_connect_state(session)
        if let serverName { try unsafe expect(serverName, in: session) }
        guard storage.settings.resumes, let resumption, resumption.serverName == serverName,
            resumption.rules == storage.material.verificationDigest
        else { return }
        // It fails only for a method that never made such a session; then there is a full handshake.
        if unsafe SSL_set_session(session, resumption.pointer) != 1 { ERR_clear_error() }
    }

    /// An address is looked for among the certificate's addresses and not sent (RFC 6066 §3); a name is both.
    private static func expect(_ name: String, in session: OpaquePointer) throws(TLSConfigurationError) {
        let parameters = unsafe SSL_get0_param(session)
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
        ERR_clear_error()
        // The alternative names are what counts (RFC 6125 §6.4.4); `*` stands for one whole label only.
        unsafe X509_VERIFY_PARAM_set_hostflags(
            parameters, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard unsafe X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1,
            unsafe tls_session_set_server_name(session, name) == 1
        else { throw TLSContextStorage.failure("the server name") }
    }

    /// What a client may offer next time; nil where there is nothing. A TLS 1.3 server gives tickets after the
    /// handshake, so ask late: when the session ends, or after the first reply.
    public func resumption() -> TLSResumption? {
        guard context.settings.role == .client, context.settings.resumes, isHandshakeComplete, failure == nil,
            let kept = unsafe SSL_get1_session(session)
        else { return nil }
        let resumption = unsafe TLSResumption(
            owning: kept, rules: context.material.verificationDigest, serverName: serverName)
        return unsafe SSL_SESSION_is_resumable(kept) == 1 ? resumption : nil
    }
}

// MARK: What was agreed

extension TLSSession {
    /// Whether the handshake went by a ticket, without certificates and signatures.
    public var isResumed: Bool { unsafe SSL_session_reused(session) == 1 }

    /// Nil before it is agreed.
    public var version: TLSVersion? {
        isHandshakeComplete ? TLSVersion(rawValue: UInt16(truncatingIfNeeded: unsafe SSL_version(session))) : nil
    }

    /// IANA's number; 0 before it is agreed.
    public var cipher: UInt16 {
        guard let cipher = unsafe SSL_get_current_cipher(session) else { return 0 }
        return unsafe SSL_CIPHER_get_protocol_id(cipher)
    }

    /// OpenSSL's name for the cipher; empty before it is agreed.
    public var cipherName: String {
        guard let name = unsafe SSL_CIPHER_get_name(SSL_get_current_cipher(session)) else { return "" }
        return unsafe String(cString: name)
    }

    /// Nil where the sides agreed on none.
    public var applicationProtocol: String? {
        var (start, count): (UnsafePointer<UInt8>?, UInt32) = (nil, 0)
        unsafe SSL_get0_alpn_selected(session, &start, &count)
        guard let start = unsafe start, count > 0 else { return nil }
        // OpenSSL keeps them as long as the session.
        return unsafe String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
    }

    /// The certificate that the peer showed and that was verified; nil where it showed none. Resumed sessions know it
    /// from the first.
    public var peerCertificate: CertificateSummary? {
        guard isHandshakeComplete, let certificate = unsafe SSL_get0_peer_certificate(session) else { return nil }
        return unsafe CertificateSummary(of: certificate)
    }

    /// Changes our key with the next `send`, and asks the peer to change its own. Of use in tests; see `renewKey`.
    package mutating func updateKeys() {
        if unsafe SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED) != 1 { ERR_clear_error() }
    }
}
