// A table of text in so many columns of a terminal: what does not fit loses its least important columns first.

struct TextColumn {
    let heading: String
    let isNumeric: Bool
    /// The highest goes first when there is no room; 0 always stays.
    let dispensability: Int
    let cells: [String]

    static func text(_ heading: String, _ cells: [String], dispensability: Int = 0) -> TextColumn {
        TextColumn(heading: heading, isNumeric: false, dispensability: dispensability, cells: cells)
    }

    static func number(_ heading: String, _ cells: [String], dispensability: Int = 0) -> TextColumn {
        TextColumn(heading: heading, isNumeric: true, dispensability: dispensability, cells: cells)
    }

    var width: Int { max(heading.count, cells.lazy.map(\.count).max() ?? 0) }

    func aligned(_ text: String) -> String {
        let padding = String(repeating: " ", count: max(0, width - text.count))
        return isNumeric ? padding + text : text + padding
    }
}

struct TextTable {
    let columns: [TextColumn]

    private static let gap = "  "

    /// The heading, then the rows; none is longer than `width`.
    func lines(width: Int) -> [String] {
        let shown = fitting(width)
        let heading = line(shown.map { $0.aligned($0.heading) }, width)
        let count = shown.first?.cells.count ?? 0
        return [heading] + (0..<count).map { row in line(shown.map { $0.aligned($0.cells[row]) }, width) }
    }

    private func fitting(_ width: Int) -> [TextColumn] {
        var shown = columns
        while shown.map(\.width).reduce(0, +) + (shown.count - 1) * TextTable.gap.count > width {
            guard let most = shown.map(\.dispensability).max(), most > 0,
                let index = shown.lastIndex(where: { $0.dispensability == most })
            else { break }
            shown.remove(at: index)
        }
        return shown
    }

    private func line(_ cells: [String], _ width: Int) -> String {
        cells.joined(separator: TextTable.gap).clipped(to: width)
    }
}

extension String {
    /// Without spaces at the end, and with `..` where something was cut off.
    func clipped(to width: Int) -> String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        guard text.count > width else { return String(text) }
        return width > 2 ? "\(text.prefix(width - 2)).." : String(text.prefix(max(0, width)))
    }
}
