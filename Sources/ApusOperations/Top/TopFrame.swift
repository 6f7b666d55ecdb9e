// One picture of a server, as lines of text for a terminal of any size. It reads no clock and moves no cursor.

/// What the connections' table is ordered by.
package enum TopOrder: Sendable {
    case bytes, queue
}

package struct TopFrame: Sendable {
    package enum Role: Sendable {
        case title, heading, plain, alarm
    }

    package struct Row: Equatable, Sendable {
        package let text: String
        package let role: Role
    }

    /// Nil until the server has answered.
    let figures: TopFigures?
    let address: String
    let order: TopOrder
    let isPaused: Bool
    /// Why there are no newer figures.
    let trouble: String?
    /// The keys are shown only where there are some.
    let isLive: Bool

    package init(
        _ figures: TopFigures?, address: String, order: TopOrder = .bytes, isPaused: Bool = false,
        trouble: String? = nil, isLive: Bool = false
    ) {
        self.figures = figures
        self.address = address
        self.order = order
        self.isPaused = isPaused
        self.trouble = trouble
        self.isLive = isLive
    }

    package func lines(width: Int, height: Int) -> [String] { rows(width: width, height: height).map(\.text) }

    /// At most `height` rows of at most `width` characters.
    package func rows(width: Int, height: Int) -> [Row] {
        let foot = isLive ? [Row(text: keys.clipped(to: width), role: .plain)] : []
        let head = heading.map { Row(text: $0.text.clipped(to: width), role: $0.role) }
        let room = height - head.count - foot.count
        let body = SectionLayout(sections(width: width), room: room).rows
        let filler = isLive ? max(0, room - body.count) : 0
        let shown = body.map { Row(text: $0.text.clipped(to: width), role: $0.role) }
        let all = head + shown + Array(repeating: Row(text: "", role: .plain), count: filler) + foot
        return Array(all.prefix(max(0, height)))
    }

    private var keys: String {
        "\(isPaused ? "PAUSED  " : "")q quit  b by bytes  w by waiting bytes  p \(isPaused ? "go on" : "pause")"
    }
}

// MARK: The heading

extension TopFrame {
    private var heading: [Row] {
        var rows = [Row(text: title, role: .title)]
        if let trouble { rows.append(Row(text: trouble, role: .alarm)) }
        guard let figures else { return rows }
        if figures.isReady == false || figures.isLive == false, !figures.reasons.isEmpty {
            rows.append(Row(text: figures.reasons.joined(separator: "; "), role: .alarm))
        }
        return rows + [connections(figures), rates(figures), service(figures)].map { Row(text: $0, role: .plain) }
    }

    private var title: String {
        guard let figures else { return "apus  \(address)" }
        var words = ["apus \(figures.version)", address, figures.state]
        if let isLive = figures.isLive, !isLive { words.append("NOT LIVE") }
        if let isReady = figures.isReady { words.append(isReady ? "ready" : "NOT READY") }
        if let uptime = figures.uptimeSeconds { words.append("up \(age(uptime))") }
        if let pid = figures.pid { words.append("pid \(pid)") }
        return words.joined(separator: "  ")
    }

    private func connections(_ figures: TopFigures) -> String {
        var text = "connections \(shown(figures.open))"
        if let most = figures.openMax, most > 0 {
            let share = figures.open.map { " (\(fixed($0 / most * 100, digits: 0)) %)" } ?? ""
            text += " of \(brief(most))\(share)"
        }
        text += "  accepts \(shown(figures.acceptsPerSecond))/s  handshakes \(shown(figures.handshakesPerSecond))/s"
        if let share = figures.resumedShare { text += ", \(fixed(share * 100, digits: 0)) % resumed" }
        return text
    }

    private func rates(_ figures: TopFigures) -> String {
        "messages \(shown(figures.messagesPerSecond))/s  in \(shown(figures.receivedBytesPerSecond))B/s"
            + "  out \(shown(figures.sentBytesPerSecond))B/s"
    }

    private func service(_ figures: TopFigures) -> String {
        let service = figures.service
        let times = [("p50", service.p50Seconds), ("p99", service.p99Seconds), ("p99.9", service.p999Seconds)]
        return "service " + times.map { "\($0) \($1.map(briefSeconds) ?? "-")" }.joined(separator: "  ")
    }
}

private func shown(_ value: Double?) -> String { value.map(brief) ?? "-" }

// MARK: The tables

extension TopFrame {
    /// The most important first.
    private func sections(width: Int) -> [[Row]] {
        guard let figures else { return [] }
        let tables = [loops(figures), reasons(figures), listeners(figures), peers(figures)]
        return tables.compactMap(\.self).map { table in
            table.lines(width: width).enumerated().map { Row(text: $1, role: $0 == 0 ? .heading : .plain) }
        }
    }

    private func loops(_ figures: TopFigures) -> TextTable? {
        let loops = figures.loops
        guard !loops.isEmpty else { return nil }
        return TextTable(columns: [
            .text("LOOP", loops.map { "\($0.loop)" }),
            .text("LOAD", loops.map { TopFrame.bar($0.busy) }, dispensability: 1),
            .number("BUSY", loops.map { $0.busy.map { "\(fixed($0 * 100, digits: 0))%" } ?? "-" }),
            .number("CONNS", loops.map { shown($0.connections) }),
            .number("TURNS/S", loops.map { shown($0.turnsPerSecond) }, dispensability: 2),
            .number("PER TURN", loops.map { shown($0.completionsPerTurn) }, dispensability: 3),
            .number("STARVED", loops.map { shown($0.starved) }, dispensability: 4),
            .number("FREE BUFS", loops.map { shown($0.freeBuffers) }, dispensability: 6),
            .number("OVERFLOWS", loops.map { shown($0.overflows) }, dispensability: 7),
            .number("LAST TURN", loops.map { $0.lastTurnAgeSeconds.map(briefSeconds) ?? "-" }, dispensability: 5),
        ])
    }

    /// Twenty marks for a loop that never waits.
    private static func bar(_ busy: Double?) -> String {
        let count = Int((max(0, min(busy ?? 0, 1)) * 20).rounded())
        return "[" + String(repeating: "#", count: count) + String(repeating: ".", count: 20 - count) + "]"
    }

    /// What moved comes first.
    private func reasons(_ figures: TopFigures) -> TextTable? {
        let counts = figures.counts.filter { ($0.change ?? 0) > 0 } + figures.counts.filter { ($0.change ?? 0) <= 0 }
        guard !counts.isEmpty else { return nil }
        return TextTable(columns: [
            .text("WHAT", counts.map(\.kind)),
            .text("REASON", counts.map(\.reason)),
            .number("NOW", counts.map { $0.change.map { $0 > 0 ? "+\(brief($0))" : "0" } ?? "-" }),
            .number("IN ALL", counts.map { brief($0.count) }),
        ])
    }

    private func listeners(_ figures: TopFigures) -> TextTable? {
        let listeners = figures.listeners
        guard !listeners.isEmpty else { return nil }
        return TextTable(columns: [
            .text("LISTENER", listeners.map(\.name)),
            .text("ADDRESS", listeners.map(\.address), dispensability: 2),
            .text("PROTOCOL", listeners.map(\.service), dispensability: 5),
            .text("SECURITY", listeners.map(\.security), dispensability: 4),
            .number("OPEN", listeners.map { shown($0.open) }),
            .number("ACCEPTED", listeners.map { shown($0.accepted) }, dispensability: 6),
            .number("MSG/S", listeners.map { shown($0.messagesPerSecond) }),
            .number("IN B/S", listeners.map { shown($0.receivedBytesPerSecond) }, dispensability: 1),
            .number("OUT B/S", listeners.map { shown($0.sentBytesPerSecond) }, dispensability: 1),
        ])
    }

    private func peers(_ figures: TopFigures) -> TextTable? {
        let peers = order == .bytes ? figures.peersByBytes : figures.peersByQueue
        guard !peers.isEmpty else { return nil }
        return TextTable(columns: [
            .text(order == .bytes ? "PEER BY BYTES" : "PEER BY QUEUE", peers.map(\.peer)),
            .text("LISTENER", peers.map(\.listener), dispensability: 3),
            .number("QUEUED B", peers.map { shown($0.queuedBytes) }, dispensability: order == .queue ? 0 : 1),
            .number("B/S", peers.map { shown($0.bytesPerSecond) }, dispensability: 1),
            .number("IN B", peers.map { shown($0.receivedBytes) }, dispensability: 2),
            .number("OUT B", peers.map { shown($0.sentBytes) }, dispensability: 2),
            .number("AGE", peers.map { $0.ageSeconds.map(age) ?? "-" }, dispensability: 4),
        ])
    }
}

/// Tables below each other in so many rows: each gets its heading and a few rows in turn, until the room is used up.
private struct SectionLayout {
    let rows: [TopFrame.Row]

    init(_ sections: [[TopFrame.Row]], room: Int) {
        // A section takes a blank row, and is not worth showing below one with heading and a row.
        var granted = sections.map { _ in 0 }
        var left = room
        for index in sections.indices where left >= 3 {
            granted[index] = 2
            left -= 3
        }
        for allowance in [3, 6, Int.max] {
            for index in sections.indices where granted[index] > 0 {
                let wanted = min(sections[index].count, allowance) - granted[index]
                let more = max(0, min(wanted, left))
                granted[index] += more
                left -= more
            }
        }
        rows = zip(sections, granted).flatMap { SectionLayout.shown($0, $1) }
    }

    /// The last row says how many more there are, where a row above it says of what.
    private static func shown(_ section: [TopFrame.Row], _ count: Int) -> [TopFrame.Row] {
        guard count > 0 else { return [] }
        let blank = TopFrame.Row(text: "", role: .plain)
        guard count < section.count else { return [blank] + section }
        guard count > 2 else { return [blank] + section.prefix(count) }
        let hidden = section.count - count + 1
        let more = TopFrame.Row(text: "  .. \(hidden) more", role: .plain)
        return [blank] + section.prefix(count - 1) + [more]
    }
}
