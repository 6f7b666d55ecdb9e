// What simulated servers answer besides PING and ECHO.

import ApusServer

extension Dispatcher {
    static func simulated(_ lot: ParkingLot) -> Dispatcher {
        var dispatcher = Dispatcher()
        dispatcher.register(command: "SYNC") { message, _, reply in
            reply.sendCustom(command: "SYNCED".utf8Span.span.bytes, content: message.content)
        }
        dispatcher.register(command: "RESERVE") { message, _, reply in
            let content = message.content
            reply.sendPacket(payloadByteCountMax: content.byteCount + 100) { output in
                for offset in 0..<content.byteCount {
                    output.append(content.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
                }
            }
        }
        dispatcher.register(command: "SILENT") { _, _, _ in }
        dispatcher.register(command: "BURST") { message, _, reply in
            for _ in 0..<message.content.byteCount { reply.pong() }
        }
        dispatcher.register(command: "CLOSE") { _, _, reply in
            reply.pong()
            reply.close()
        }
        dispatcher.registerAsync(.command("ASYNC")) { _, _ in
            await lot.park()
            return nil
        }
        dispatcher.registerPackets { payload, _, reply in reply.sendPacket(payload) }
        return dispatcher
    }
}
