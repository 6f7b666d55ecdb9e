// What one connection says and hears, without its socket: bytes in, bytes out. The upgrade first, then every message
// back as one frame.

import ApusSecurity
import ApusWire

struct EchoSession {
    /// The largest message of the conformance cases (9.1.6, 9.2.6).
    static let messageByteCountMax = 16 << 20

    private(set) var isFinished = false
    private var isUpgraded = false
    private var gathered: [UInt8] = []
    private var message: [UInt8] = []
    private var conversation = WebSocketConversation(messageByteCountMax: EchoSession.messageByteCountMax)

    /// What to send for what came.
    mutating func receive(_ piece: [UInt8]) -> [UInt8] {
        gathered += piece
        var output: [UInt8] = []
        var offset = isUpgraded ? 0 : upgrade(&output)
        let decoder = WebSocketDecoder(role: .server, payloadByteCountMax: EchoSession.messageByteCountMax)
        while isUpgraded, !isFinished {
            switch decoder.step(gathered.span.bytes, at: offset) {
            case .incomplete:
                gathered.removeFirst(offset)
                return output
            case .violation(let violation): end(with: violation, &output)
            case .frame(let frame):
                answer(frame, &output)
                offset = frame.end
            }
        }
        return output
    }

    /// Returns where frames start, once the request is whole.
    private mutating func upgrade(_ output: inout [UInt8]) -> Int {
        switch HTTPRequestDecoder().step(gathered.span.bytes, at: 0) {
        case .incomplete: return 0
        case .violation(let violation):
            output = HTTPResponse(violation.status).encode(unixSeconds: 0, keepsAlive: false)
            isFinished = true
            return 0
        case .request(let request):
            judge(request, &output)
            return request.end
        }
    }

    private mutating func judge(_ request: HTTPRequestLayout, _ output: inout [UInt8]) {
        do throws(WebSocketUpgradeRefusal) {
            let policy = WebSocketUpgradePolicy(path: "/echo")
            let upgrade = try WebSocketUpgrade(judging: request, in: gathered.span.bytes, by: policy)
            let accept = WebSocketAccept.value(forKey: gathered.span.bytes.extracting(upgrade.key))
            output += written(WebSocketUpgrade.responseByteCount) {
                WebSocketUpgrade.writeResponse(accept: accept, into: &$0)
            }
            isUpgraded = true
        } catch {
            output = error.encodeResponse(unixSeconds: 0)
            isFinished = true
        }
    }
}

// MARK: Frames

extension EchoSession {
    private mutating func answer(_ frame: WebSocketFrame, _ output: inout [UInt8]) {
        switch conversation.receive(frame) {
        case .part(let part): receive(part, of: frame, &output)
        case .ping:
            let payload = unmasked(frame)
            output += controlFrame { WebSocketEncoder.writePong(payload.span.bytes, into: &$0) }
        case .close: answerClose(unmasked(frame), &output)
        case .pong, .ignored: break
        case .violation(let violation): end(with: violation, &output)
        }
    }

    private mutating func receive(_ part: WebSocketPart, of frame: WebSocketFrame, _ output: inout [UInt8]) {
        let payload = unmasked(frame)
        if part.kind == .text, !conversation.receiveText(payload.span.bytes, isLast: part.isLast) {
            return end(with: .textNotUTF8, &output)
        }
        if part.isFirst { message.removeAll(keepingCapacity: true) }
        message += payload
        guard part.isLast else { return }
        let (whole, opcode) = (message, part.kind == .text ? WebSocketOpcode.text : .binary)
        output += written(WebSocketFormat.headerByteCountMax + whole.count) {
            WebSocketEncoder.writeFrame(opcode, payload: whole.span.bytes, into: &$0)
        }
    }

    private func unmasked(_ frame: WebSocketFrame) -> [UInt8] {
        let payload = gathered.span.bytes.extracting(frame.payload)
        return written(payload.byteCount) { WebSocketMask.append(payload, unmaskedWith: frame.maskingKey, to: &$0) }
    }

    /// The same code back (RFC 6455 §5.5.1); a server ends the connection first (§7.1.1).
    private mutating func answerClose(_ payload: [UInt8], _ output: inout [UInt8]) {
        do throws(WebSocketViolation) {
            let closure = try WebSocketClosure(payload: payload.span.bytes)
            output += controlFrame { WebSocketEncoder.writeClose(closure.code, into: &$0) }
            isFinished = true
        } catch {
            end(with: error, &output)
        }
    }

    private mutating func end(with violation: WebSocketViolation, _ output: inout [UInt8]) {
        output += controlFrame {
            WebSocketEncoder.writeClose(violation.closeCode, reason: violation.closeReason, into: &$0)
        }
        isFinished = true
    }
}

func controlFrame(_ write: (inout OutputRawSpan) -> Void) -> [UInt8] {
    written(WebSocketEncoder.controlFrameByteCountMax, write)
}

/// What `write` appends to room of so many bytes.
func written(_ byteCountMax: Int, _ write: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: max(byteCountMax, 1)) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        write(&output)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
}
