// One event as a shard notes it down: a value of fixed size that needs no memory. Texts are made of it on another
// thread.

import ApusReactor

package struct LogEvent: BitwiseCopyable, Sendable {
    package let kind: ServerEvent.Kind
    let wallMicroseconds: UInt64
    var shard: UInt8?
    var listener: UInt8?
    var connection: ConnectionToken?
    var peer: SocketAddress?

    package init(_ kind: ServerEvent.Kind) {
        self.kind = kind
        wallMicroseconds = WallClock.microseconds()
    }
}
