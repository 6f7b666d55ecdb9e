// Frames as tests write them, by a second encoder that shares no line with ours, and what the decoder says of them.

import ApusWire
import Testing

/// A frame as it may never be sent: every bit is free.
struct RawFrame {
    var isFinal = true
    var reserved: UInt8 = 0
    var opcode: UInt8 = 2
    var payload: [UInt8] = []
    var key: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D]
    /// Bytes of the length field: 1, 2 or 8; nil for the shortest form.
    var lengthByteCount: Int?

    var bytes: [UInt8] {
        var bytes = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        let length = payload.count
        let mask: UInt8 = key == nil ? 0 : 0x80
        switch lengthByteCount ?? (length < 126 ? 1 : length < 65536 ? 2 : 8) {
        case 1: bytes.append(mask | UInt8(length))
        case 2: bytes += [mask | 126, UInt8(length >> 8), UInt8(length & 0xFF)]
        default: bytes += [mask | 127] + (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
        }
        guard let key else { return bytes + payload }
        return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
    }
}

/// A frame with its payload unmasked, in place of offsets.
struct FoundFrame: Equatable {
    var isFinal: Bool
    var opcode: WebSocketOpcode
    var payload: [UInt8]
}

func decodeFrame(
    _ bytes: [UInt8], at offset: Int = 0, role: WebSocketRole = .server, limit: Int = 1 << 20
) -> WebSocketStep {
    WebSocketDecoder(role: role, payloadByteCountMax: limit).step(bytes.span.bytes, at: offset)
}

func frameViolation(_ bytes: [UInt8], role: WebSocketRole = .server, limit: Int = 1 << 20) -> WebSocketViolation? {
    guard case .violation(let violation) = decodeFrame(bytes, role: role, limit: limit) else { return nil }
    return violation
}

/// The frames that the bytes are, up to the first that is not whole.
func foundFrames(_ bytes: [UInt8], role: WebSocketRole = .server) -> [FoundFrame] {
    var (frames, offset) = ([FoundFrame](), 0)
    while case .frame(let frame) = decodeFrame(bytes, at: offset, role: role) {
        let payload = unmasked(Array(bytes[frame.payload]), frame.maskingKey)
        frames.append(FoundFrame(isFinal: frame.isFinal, opcode: frame.opcode, payload: payload))
        offset = frame.end
    }
    return frames
}

/// Byte by byte, as RFC 6455 §5.3 writes it down.
func unmasked(_ bytes: [UInt8], _ key: UInt32, phase: Int = 0) -> [UInt8] {
    bytes.enumerated().map { index, byte in byte ^ UInt8(truncatingIfNeeded: key >> UInt32(8 * ((index + phase) % 4))) }
}

/// What `write` appends to room of `capacity` bytes.
func written(capacity: Int = 1 << 17, _ write: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        write(&output)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
}

func frame(_ opcode: WebSocketOpcode, byteCount: Int = 0, isFinal: Bool = true) -> WebSocketFrame {
    WebSocketFrame(isFinal: isFinal, opcode: opcode, maskingKey: 0, payload: 0..<byteCount)
}
