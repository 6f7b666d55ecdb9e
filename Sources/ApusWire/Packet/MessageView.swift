// A message on loan: the payload where it lies and the layout that was found in it. Gone when the handler returns; what
// must outlive it is copied.

/// A borrowed message. Reading a field that its kind does not have is a programmer's error and stops the program.
public struct MessageView: ~Escapable {
    /// The packet's payload, trailing bytes included.
    public let payload: RawSpan
    public let layout: MessageLayout

    /// - Parameter layout: what `MessageDecoder.step(payload)` found.
    @_lifetime(copy payload)
    @inlinable
    public init(payload: RawSpan, layout: MessageLayout) {
        self.payload = payload
        self.layout = layout
    }

    @inlinable public var kind: MessageKind { layout.kind }

    /// The message as it was sent, without trailing bytes: an echo's answer, verbatim.
    @inlinable public var encoded: RawSpan {
        @_lifetime(copy self) get { payload.extracting(0..<layout.byteCount) }
    }

    /// Echo's text, well-formed UTF-8.
    @inlinable public var text: RawSpan {
        @_lifetime(copy self) get {
            precondition(kind == .echo, "only Echo has a text")
            return payload.extracting(layout.first)
        }
    }

    /// Custom's command, well-formed UTF-8.
    @inlinable public var command: RawSpan {
        @_lifetime(copy self) get {
            precondition(kind == .custom, "only Custom has a command")
            return payload.extracting(layout.first)
        }
    }

    /// Custom's payload, any bytes.
    @inlinable public var content: RawSpan {
        @_lifetime(copy self) get {
            precondition(kind == .custom, "only Custom has a content")
            return payload.extracting(layout.second)
        }
    }

    /// An X25519 public key, 32 bytes.
    public var publicKey: RawSpan {
        @_lifetime(copy self) get {
            precondition(kind == .handshakeInit || kind == .handshakeResponse, "only Init and Response have one")
            return payload.extracting(layout.first)
        }
    }

    /// 16 bytes.
    public var nonce: RawSpan {
        @_lifetime(copy self) get {
            precondition(kind == .handshakeInit || kind == .handshakeResponse, "only Init and Response have one")
            return payload.extracting(layout.second)
        }
    }

    /// The sender's clock, milliseconds since 1970; between the key and the nonce (NPRO §1.3).
    public var timestampMilliseconds: UInt64 {
        precondition(kind == .handshakeInit, "only Init has a timestamp")
        return payload.littleEndian64(at: layout.first.upperBound)
    }

    /// SHA-256 of the nonce of this message's receiver, 32 bytes.
    public var verification: RawSpan {
        @_lifetime(copy self) get {
            precondition(kind == .handshakeResponse || kind == .handshakeConfirm, "only Response and Confirm have one")
            return payload.extracting(layout.byteCount - MessageFormat.verificationByteCount..<layout.byteCount)
        }
    }

    /// An owned copy, for what outlives the handler.
    public func copyMessage() -> Message {
        switch kind {
        case .ping: .ping
        case .pong: .pong
        case .handshakeInit:
            .handshakeInit(
                publicKey: publicKey.copyBytes(),
                timestampMilliseconds: timestampMilliseconds,
                nonce: nonce.copyBytes())
        case .handshakeResponse:
            .handshakeResponse(
                publicKey: publicKey.copyBytes(),
                nonce: nonce.copyBytes(),
                verification: verification.copyBytes())
        case .handshakeConfirm: .handshakeConfirm(verification: verification.copyBytes())
        case .echo: .echo(text.copyString())
        case .disconnect: .disconnect
        case .custom: .custom(command: command.copyString(), payload: content.copyBytes())
        case .unknown: .unknown(discriminant: layout.discriminant)
        }
    }
}

extension RawSpan {
    /// The bytes, which the decoder found to be UTF-8, as a string.
    func copyString() -> String {
        // The buffer is read inside the closure only.
        unsafe withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
