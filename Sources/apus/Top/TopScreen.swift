// The live view: events in, pictures out, until somebody has seen enough.

import ApusOperations

struct TopScreen {
    private let address: String
    private let terminal: Terminal
    private let events: TopEvents
    private let sampler: StatusSampler
    private var order = TopOrder.bytes
    /// What is shown while newer figures come in unseen.
    private var frozen: StatusSampler.Latest?
    private var isOver = false

    init(address: String, on terminal: Terminal, events: TopEvents, sampler: StatusSampler) {
        self.address = address
        self.terminal = terminal
        self.events = events
        self.sampler = sampler
    }

    mutating func run() throws {
        sampler.start { [events] in events.postFigures() }
        try draw()
        while !isOver {
            for event in events.next() { obey(event) }
            if !isOver { try draw() }
        }
    }

    private mutating func obey(_ event: TopEvent) {
        switch event {
        case .key(let key): obey(key: key)
        case .figures, .resized: break
        case .quit: isOver = true
        }
    }

    private mutating func obey(key: UInt8) {
        switch key {
        case UInt8(ascii: "q"), TopScreen.interrupt: isOver = true
        case UInt8(ascii: "b"): order = .bytes
        case UInt8(ascii: "w"): order = .queue
        case UInt8(ascii: "p"), UInt8(ascii: " "): frozen = frozen == nil ? sampler.current : nil
        default: break
        }
    }

    /// Ctrl-C.
    private static let interrupt: UInt8 = 3

    private func draw() throws {
        let latest = frozen ?? sampler.current
        let isWaiting = latest.later == nil && latest.trouble == nil
        let frame = TopFrame(
            latest.figures, address: address, order: order, isPaused: frozen != nil,
            trouble: isWaiting ? "waiting for the first answer" : latest.trouble, isLive: true)
        let size = Terminal.size
        try terminal.show(frame.rows(width: size.width, height: size.height))
    }
}
