// The keys that session tickets are sealed with. One object per process: a ticket from one shard opens on every other.

import COpenSSL

/// The newest key seals; it and the two before it open. Each is used for `rotationSeconds` and then kept for twice as
/// long, which is how long a ticket lasts. Keys are random, never written anywhere, and wiped when they go: whoever
/// takes the machine later cannot read what tickets protected before.
///
/// Handshakes read the keys under a lock that readers share, for the microsecond that OpenSSL needs to copy one; no
/// packet ever waits for it.
@safe
public final class TicketKeys: Sendable {
    /// Seconds that a ticket is good for.
    public let lifetimeSeconds: UInt64
    /// OpenSSL's own: pointers do not go into a Mutex's closure.
    private nonisolated(unsafe) let lock: UnsafeMutableRawPointer
    /// Guarded by `lock`.
    private nonisolated(unsafe) var ring: TicketKeyRing

    /// - Parameters:
    ///   - rotationSeconds: how long one key seals, 1 s to 42 h (RFC 8446 §4.6.1 lets no ticket live beyond a week).
    ///   - nowSeconds: of the clock that `advance` is told; any will do that does not jump.
    public init(rotationSeconds: UInt64 = 3600, nowSeconds: UInt64) {
        precondition((1...151_200).contains(rotationSeconds), "a ticket key seals for 1 s to 42 h")
        guard let lock = unsafe CRYPTO_THREAD_lock_new() else { preconditionFailure("no memory for a lock") }
        unsafe self.lock = lock
        lifetimeSeconds = rotationSeconds * UInt64(TicketKeyRing.keyCount - 1)
        unsafe ring = TicketKeyRing(rotationSeconds: rotationSeconds, nowSeconds: nowSeconds)
    }

    deinit { unsafe CRYPTO_THREAD_lock_free(lock) }

    /// Makes a new key when one is due. To be called now and then, by one thread or by all.
    public func advance(to nowSeconds: UInt64) {
        hold(unsafe CRYPTO_THREAD_write_lock(lock))
        defer { release() }
        unsafe ring.advance(to: nowSeconds)
    }

    /// Makes a new key at once. After three of these no earlier ticket opens.
    public func rotate() {
        hold(unsafe CRYPTO_THREAD_write_lock(lock))
        defer { release() }
        unsafe ring.rotate()
    }

    /// Prepares OpenSSL to seal one ticket. False: no randomness, no ticket.
    func prepareSealing(
        name: UnsafeMutablePointer<UInt8>, vector: UnsafeMutablePointer<UInt8>, cipher: OpaquePointer,
        authenticator: OpaquePointer
    ) -> Bool {
        // OpenSSL passes 16 bytes for each of the two (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).
        guard unsafe RAND_bytes(vector, 16) == 1 else { return false }
        hold(unsafe CRYPTO_THREAD_read_lock(lock))
        defer { release() }
        let key = unsafe ring.key(at: 0)
        unsafe name.update(from: key, count: TicketKeyRing.nameByteCount)
        return unsafe key.arm(cipher, vector: vector, authenticator: authenticator, seals: true)
    }

    /// Prepares OpenSSL to open one ticket. Nil: the key is unknown, or gone.
    func prepareOpening(
        name: UnsafePointer<UInt8>, vector: UnsafePointer<UInt8>, cipher: OpaquePointer, authenticator: OpaquePointer
    ) -> TicketAge? {
        hold(unsafe CRYPTO_THREAD_read_lock(lock))
        defer { release() }
        guard let age = unsafe ring.age(ofKeyNamed: name) else { return nil }
        let key = unsafe ring.key(at: age)
        guard unsafe key.arm(cipher, vector: vector, authenticator: authenticator, seals: false) else { return nil }
        return age == 0 ? .current : .previous
    }

    private func hold(_ result: Int32) { precondition(result == 1, "the lock is ours and whole") }

    private func release() { unsafe CRYPTO_THREAD_unlock(lock) }
}

/// Whether a ticket was sealed with the newest key.
enum TicketAge {
    case current, previous
}

/// The keys themselves, newest first after `newest`, each:
///
///     | name, 16 bytes | AES-256 key, 32 bytes | HMAC-SHA-256 key, 32 bytes |
@safe
private struct TicketKeyRing: ~Copyable {
    static let keyCount = 3
    static let nameByteCount = 16
    static let keyByteCount = nameByteCount + 32 + 32

    private let storage: UnsafeMutablePointer<UInt8>
    private var newest = 0
    private let rotationSeconds: UInt64
    private var rotatedSeconds: UInt64

    init(rotationSeconds: UInt64, nowSeconds: UInt64) {
        unsafe storage = .allocate(capacity: TicketKeyRing.keyCount * TicketKeyRing.keyByteCount)
        self.rotationSeconds = rotationSeconds
        rotatedSeconds = nowSeconds
        // All of them: an older key that does not exist yet is random too, and opens nothing.
        for index in 0..<TicketKeyRing.keyCount { fill(index) }
    }

    deinit {
        unsafe OPENSSL_cleanse(storage, TicketKeyRing.keyCount * TicketKeyRing.keyByteCount)
        unsafe storage.deallocate()
    }

    mutating func advance(to nowSeconds: UInt64) {
        guard nowSeconds >= rotatedSeconds else { return }
        let count = (nowSeconds - rotatedSeconds) / rotationSeconds
        // After a pause longer than any ticket lives, all keys go.
        for _ in 0..<min(count, UInt64(TicketKeyRing.keyCount)) { rotate() }
        rotatedSeconds += count * rotationSeconds
    }

    mutating func rotate() {
        newest = (newest + TicketKeyRing.keyCount - 1) % TicketKeyRing.keyCount
        fill(newest)
    }

    /// `age` counts rotations: 0 is the newest.
    func key(at age: Int) -> UnsafeMutablePointer<UInt8> {
        // The remainder keeps it within the keys.
        unsafe storage + (newest + age) % TicketKeyRing.keyCount * TicketKeyRing.keyByteCount
    }

    func age(ofKeyNamed name: UnsafePointer<UInt8>) -> Int? {
        (0..<TicketKeyRing.keyCount).first { unsafe CRYPTO_memcmp(key(at: $0), name, Self.nameByteCount) == 0 }
    }

    private func fill(_ index: Int) {
        let key = unsafe storage + index * TicketKeyRing.keyByteCount
        let result = unsafe RAND_priv_bytes(key, Int32(TicketKeyRing.keyByteCount))
        precondition(result == 1, "without randomness there are no secrets to keep")
    }
}

extension UnsafeMutablePointer<UInt8> {
    /// Gives OpenSSL the two keys of a ticket key that lies here; it copies both.
    fileprivate func arm(
        _ cipher: OpaquePointer, vector: UnsafePointer<UInt8>, authenticator: OpaquePointer, seals: Bool
    ) -> Bool {
        let encryptionKey = unsafe self + TicketKeyRing.nameByteCount
        return unsafe EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nil, encryptionKey, vector, seals ? 1 : 0) == 1
            && tls_mac_set_key(authenticator, encryptionKey + 32, 32) == 1
    }
}
