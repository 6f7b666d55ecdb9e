// WebSocket echo over ApusWire alone, both ways, for peers that share no line with it. Blocking sockets and a thread
// for each connection: it measures nothing, it only has to be right.
//
//   apus-websocket-echo serve                        listens on a free port of the loopback until its input ends
//   apus-websocket-echo connect HOST:PORT PATH       talks to another's echo, and ends with 0 when all came back

import Foundation

@main
struct WebSocketEcho {
    static func main() throws {
        // A peer that closes early is an error of `send`, not the end of the program.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case ("serve", 1): try serve()
        case ("connect", 3): try EchoConversation(with: arguments[1], path: arguments[2]).play()
        default:
            print("usage: apus-websocket-echo serve | connect HOST:PORT PATH")
            exit(2)
        }
    }

    private static func serve() throws {
        let listener = try BlockingSocket.listen()
        print("listening on 127.0.0.1:\(try listener.localPort())")
        fflush(nil)
        Thread.detachNewThread {
            while let socket = listener.accept() { Thread.detachNewThread { answer(socket) } }
        }
        while readLine() != nil {}
    }

    /// Until the session ends, the peer does, or nothing came for a while.
    private static func answer(_ socket: BlockingSocket) {
        var session = EchoSession()
        while !session.isFinished, let piece = socket.receive() {
            guard socket.send(session.receive(piece)) else { break }
        }
        socket.finish()
    }
}
