// A stream that arrives in pieces, the way a connection sees it: gather, step, drop what was decoded.

import ApusWire
import Testing

struct PacketStream {
    private(set) var gathered: [UInt8] = []
    private(set) var payloads: [[UInt8]] = []
    private(set) var violation: PacketViolation?

    /// Take a piece and decode what is whole. An "incomplete" that asks for no more than there is would spin a server.
    mutating func receive(_ piece: some Sequence<UInt8>) {
        gathered += piece
        var offset = 0
        while violation == nil {
            switch step(gathered, at: offset) {
            case .packet(let payload):
                payloads.append(Array(gathered[payload]))
                offset = payload.upperBound
            case .incomplete(let byteCountNeeded):
                #expect(byteCountNeeded > gathered.count - offset)
                gathered.removeFirst(offset)
                return
            case .violation(let found):
                violation = found
            }
        }
    }
}

func step(_ bytes: [UInt8], at offset: Int = 0) -> PacketStep {
    PacketDecoder().step(bytes.span.bytes, at: offset)
}

func step(_ payload: [UInt8]) -> MessageStep {
    MessageDecoder.step(payload.span.bytes)
}

/// The owned message and what it took, or the violation.
func decode(_ payload: [UInt8]) throws(MessageViolation) -> Message {
    try Message(decoding: payload.span.bytes)
}

/// The message without its packet header.
func encode(_ message: Message) -> [UInt8] {
    Array(PacketEncoder.encode(message).dropFirst(PacketFormat.headerByteCount))
}

/// A header that announces `length`, true or not.
func header(length: UInt32) -> [UInt8] {
    Array("NPRO".utf8) + [1] + withUnsafeBytes(of: length.bigEndian, Array.init)
}

/// A program that stopped did so at the precondition that was meant. Optimised code stops without a word.
func expect(_ result: ExitTest.Result?, says precondition: String) {
    #if DEBUG
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains(precondition))
    #endif
}

func littleEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian, Array.init) }
func littleEndian(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian, Array.init) }
