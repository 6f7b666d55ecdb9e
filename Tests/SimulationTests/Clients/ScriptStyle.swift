// What scripts are drawn from: which requests, how many, how long, and how it ends.

import ApusServer

struct ScriptStyle {
    var session = SessionKind.message
    /// All requests together have about so many bytes.
    var byteCountMax = 2000
    var requestCountMin = 0
    var requestCountMax = 12
    /// Most sizes are near the largest.
    var isBulky = false
    var sizeMax = 500
    var payloadByteCountMax = 1 << 20
    var asyncPerMille = 0
    var systemAliases = false
    var unknownCommand = UnknownCommand.silence
}

extension ScriptStyle {
    func script(_ random: inout Generator) -> Script {
        var script = Script(session: session, ending: .finish)
        var byteCount = 0
        for _ in 0..<random.within(requestCountMin, requestCountMax) where byteCount < byteCountMax {
            let request = session == .packet ? packetRequest(&random) : request(&random)
            byteCount += request.bytes.count
            script.requests.append(request)
        }
        end(&script, &random)
        return script
    }

    private func size(_ random: inout Generator) -> Int {
        switch random.below(8) {
        case 0: 0
        case 1...6 where isBulky: random.within(sizeMax / 2, sizeMax)
        case 1...4: random.within(1, min(64, sizeMax))
        default: random.small(0, sizeMax)
        }
    }

    private func packetRequest(_ random: inout Generator) -> Request {
        let packet = Wire.packet(Wire.text(size(&random), &random))
        return Request(bytes: packet, replies: [packet])
    }

    func request(_ random: inout Generator) -> Request {
        if random.chance(perMille: asyncPerMille) { return asyncRequest(&random) }
        switch random.below(16) {
        case 0, 1: return Request(bytes: Wire.ping, replies: [Wire.pong], isMessage: false)
        case 2: return Request(bytes: Wire.pong, isMessage: false)
        case 3: return trailed(&random)
        case 4: return synchronous("SYNC", &random)
        case 5: return synchronous("RESERVE", &random)
        case 6: return Request(bytes: Wire.custom("SILENT", Wire.text(size(&random), &random)))
        case 7: return burst(&random)
        case 8: return unknown(&random)
        case 9: return alias()
        default: return echo(size(&random), &random)
        }
    }

    func echo(_ byteCount: Int, _ random: inout Generator) -> Request {
        let packet = Wire.echo(Wire.text(byteCount, &random))
        return Request(bytes: packet, replies: [packet])
    }

    /// Bytes behind the message are legal, and not echoed (NPRO §1.2).
    private func trailed(_ random: inout Generator) -> Request {
        let message = [5, 0, 0, 0] + Wire.run(Wire.text(size(&random), &random))
        let trail = Wire.text(random.within(1, 20), &random)
        return Request(bytes: Wire.packet(message + trail), replies: [Wire.packet(message)])
    }

    private func synchronous(_ command: String, _ random: inout Generator) -> Request {
        let content = Wire.text(size(&random), &random)
        let reply = command == "SYNC" ? Wire.custom("SYNCED", content) : Wire.packet(content)
        return Request(bytes: Wire.custom(command, content), replies: [reply])
    }

    private func burst(_ random: inout Generator) -> Request {
        let count = random.below(9)
        let replies = Array(repeating: Wire.pong, count: count)
        return Request(bytes: Wire.custom("BURST", Array(repeating: 0x2E, count: count)), replies: replies)
    }

    private func unknown(_ random: inout Generator) -> Request {
        if unknownCommand == .close { return echo(size(&random), &random) }
        if random.chance(perMille: 500) { return Request(bytes: Wire.unknown) }
        return Request(bytes: Wire.custom("NOBODY", Wire.text(size(&random), &random)))
    }

    private func alias() -> Request {
        if systemAliases { return Request(bytes: Wire.custom("PING", []), replies: [Wire.pong]) }
        if unknownCommand == .close { return Request(bytes: Wire.ping, replies: [Wire.pong], isMessage: false) }
        return Request(bytes: Wire.custom("PING", []))
    }

    private func asyncRequest(_ random: inout Generator) -> Request {
        let bytes = Wire.custom("ASYNC", Wire.text(size(&random), &random))
        switch random.below(8) {
        case 0: return Request(bytes: bytes, asyncFate: .silence)
        case 1: return Request(bytes: bytes, asyncFate: .failed)
        default:
            let reply = Wire.custom("ANSWER", Wire.text(size(&random), &random))
            return Request(bytes: bytes, replies: [reply], asyncFate: .reply(reply))
        }
    }
}

// MARK: Endings

extension ScriptStyle {
    private func end(_ script: inout Script, _ random: inout Generator) {
        switch random.below(20) {
        case 0...3: script.ending = .finish
        case 4...7: script.ending = .finishAnswered
        case 8...9: script.ending = .stay
        case 10...11 where session == .message:
            script.ending = .last(Wire.disconnect + junk(&random), reason: .disconnect)
        case 12...15: endMalformed(&script, &random)
        case 16: script.ending = .truncate(Array(Wire.echo(Wire.text(50, &random)).prefix(random.within(1, 70))))
        case 17: script.ending = .reset
        case 18: script.ending = .vanish
        case 19 where session == .message: endByHandler(&script, &random)
        default: script.ending = .finish
        }
    }

    /// What a peer may go on sending to a server that no longer listens.
    private func junk(_ random: inout Generator) -> [UInt8] {
        random.chance(perMille: 500) ? [] : Wire.text(random.small(1, 300), &random)
    }

    private func endByHandler(_ script: inout Script, _ random: inout Generator) {
        if unknownCommand == .close {
            script.ending = .last(Wire.custom("NOBODY", []) + junk(&random), reason: .unknownCommand)
        } else if asyncPerMille > 0 {
            // No junk: it would be decoded while the handler is at work.
            script.requests.append(Request(bytes: Wire.custom("ASYNC", []), asyncFate: .tooLarge))
            script.ending = .last([], reason: .oversizeReply)
        } else {
            script.requests.append(Request(bytes: Wire.custom("CLOSE", []), replies: [Wire.pong]))
            script.ending = .last(junk(&random), reason: .handler)
        }
    }

    private func endMalformed(_ script: inout Script, _ random: inout Generator) {
        let (bytes, reason) = malformed(&random)
        script.ending = .last(bytes + junk(&random), reason: reason)
    }

    private func malformed(_ random: inout Generator) -> ([UInt8], CloseReason) {
        switch random.below(session == .message ? 6 : 3) {
        case 0: return (Array("NPRO".utf8.prefix(random.below(4))) + [0x58], .wrongMagic)
        case 1: return (Array("NPRO".utf8) + [2], .unsupportedVersion)
        case 2: return (Wire.header(payloadByteCount: payloadByteCountMax + 1), .oversizePacket)
        case 3: return (Wire.packet(Array(repeating: 0, count: random.below(4))), .malformedMessage)
        case 4: return (Wire.packet([5, 0, 0, 0] + Wire.run([0x61, 0xC0, 0x80])), .malformedMessage)
        default: return (Wire.packet([7, 0, 0, 0] + Wire.count(1 << 40)), .malformedMessage)
        }
    }
}
