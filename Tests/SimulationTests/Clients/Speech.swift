// What a simulated client has said so far, and when: its requests in order, PONGs between them, its last bytes.

import ApusReactor

struct Speech {
    private let requests: [Request]
    private var unsent = ByteQueue()
    private(set) var queuedByteCount = 0
    private(set) var writtenByteCount = 0
    /// Where each queued request ends, counted in bytes from the first.
    private var requestEnds: [Int] = []
    /// When messages were written that put off the idle timeout.
    private var messages: [Instant] = []

    /// Where each packet ends that has not left whole.
    private var packetEnds: [Int] = []
    /// When a part of a packet left whose rest has not; never: there is none.
    private(set) var brokenSince = Instant.never
    /// The last part of one, from when to when its rest was missing.
    private(set) var mended = (since: Instant.never, at: Instant.never)

    private(set) var requestsWritten = 0
    private(set) var firstWrite = Instant.never
    private(set) var lastWrite = Instant.never
    /// The last bytes are queued: it says no more.
    private(set) var isMute = false

    init(_ requests: [Request]) { self.requests = requests }

    var requestsQueued: Int { requestEnds.count }
    var isAllQueued: Bool { requestsQueued == requests.count }
    /// All that was queued has left.
    var isSaid: Bool { unsent.isEmpty }
    var unsentByteCount: Int { unsent.count }

    mutating func sayNextRequest() {
        say(requests[requestsQueued].bytes)
        requestEnds.append(queuedByteCount)
    }

    mutating func sayLast(_ bytes: [UInt8]) {
        isMute = true
        say(bytes)
    }

    mutating func sayPong() { say(Wire.pong) }

    /// What is no request.
    mutating func say(_ bytes: [UInt8]) {
        unsent.append(bytes)
        queuedByteCount += bytes.count
        if !bytes.isEmpty { packetEnds.append(queuedByteCount) }
    }

    /// As much as the socket takes, at most `countMax`; false when that is nothing.
    mutating func write(countMax: Int, to socket: SimulatedSocket, of kernel: SimulatedKernel) -> Bool {
        let count = kernel.write(&unsent, countMax: countMax, to: socket)
        guard count > 0 else { return false }
        writtenByteCount += count
        lastWrite = kernel.now
        notePackets(at: kernel.now)
        if firstWrite == .never { firstWrite = kernel.now }
        while requestsWritten < requestEnds.count, requestEnds[requestsWritten] <= writtenByteCount {
            if requests[requestsWritten].isMessage { messages.append(kernel.now) }
            requestsWritten += 1
        }
        return true
    }

    private mutating func notePackets(at now: Instant) {
        let whole = packetEnds.prefix { $0 <= writtenByteCount }.count
        if whole > 0, brokenSince != .never { (mended, brokenSince) = ((brokenSince, now), .never) }
        let lastEnd = whole > 0 ? packetEnds[whole - 1] : .min
        packetEnds.removeFirst(whole)
        if lastEnd != writtenByteCount, brokenSince == .never { brokenSince = now }
    }

    /// The last message that was written by then; nil: there was none.
    func lastMessage(before time: Instant) -> Instant? { messages.last { $0 <= time } }
}
