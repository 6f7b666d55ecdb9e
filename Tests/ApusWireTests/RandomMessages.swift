// Random texts and messages, for what must hold of all of them.

import ApusWire
import TestSupport

extension SeededGenerator {
    /// Scalars of every encoded length, ASCII as often as all others together.
    mutating func text(scalarCount: Int) -> String {
        var text = String.UnicodeScalarView()
        while text.count < scalarCount {
            let top: UInt32 = [0x7F, 0x7F, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF].randomElement(using: &self) ?? 0x7F
            if let scalar = Unicode.Scalar(UInt32.random(in: 0...top, using: &self)) { text.append(scalar) }
        }
        return String(text)
    }

    mutating func message() -> Message {
        switch Int.random(in: 0...8, using: &self) {
        case 0: .ping
        case 1: .pong
        case 2: .handshakeInit(publicKey: bytes(32), timestampMilliseconds: next(), nonce: bytes(16))
        case 3: .handshakeResponse(publicKey: bytes(32), nonce: bytes(16), verification: bytes(32))
        case 4: .handshakeConfirm(verification: bytes(32))
        case 5: .echo(text(scalarCount: Int.random(in: 0...200, using: &self)))
        case 6: .disconnect
        case 7: custom()
        default: .unknown(discriminant: 8)
        }
    }

    private mutating func custom() -> Message {
        let command = text(scalarCount: Int.random(in: 0...20, using: &self))
        return .custom(command: command, payload: bytes(Int.random(in: 0...300, using: &self)))
    }
}
