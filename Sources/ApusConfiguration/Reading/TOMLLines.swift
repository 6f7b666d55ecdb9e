// In which line of a TOML text each key stands, which the parser does not tell. It keeps no values and judges nothing:
// the text has been parsed before, and from one that is no TOML it makes some index, but it always comes to an end.

/// The index of one document.
struct TOMLLines {
    private var lines: [[TOMLStep]: Int]
    /// Strings with a zero in them, which C cuts off there.
    let zeros: [Int]
    /// The first header that begins with no key. TOMLKit's parser takes for granted that there is one.
    let nameless: Int?

    init(of text: String) {
        var scanner = TOMLScanner(text)
        scanner.scan()
        lines = scanner.lines
        zeros = scanner.zeros
        nameless = scanner.nameless
    }

    /// The line of the key, or of the nearest table around it.
    func line(of path: [TOMLStep]) -> Int? {
        var path = path
        while !path.isEmpty {
            if let line = lines[path] { return line }
            path.removeLast()
        }
        return nil
    }
}

/// Walks the text once. Each `skip…` and `scan…` begins at `position` and leaves it behind what it read.
private struct TOMLScanner {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private(set) var lines: [[TOMLStep]: Int] = [:]
    private(set) var zeros: [Int] = []
    private(set) var nameless: Int?
    /// Of each array of tables, how many there are so far.
    private var tableCounts: [[TOMLStep]: Int] = [:]
    /// Where keys belong that stand alone.
    private var table: [TOMLStep] = []

    /// TOMLKit refuses deeper ones.
    private static let depthMax = 300

    init(_ text: String) {
        let bytes = Array(text.utf8)
        self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    private func startsWith(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { bytes.dropFirst(position).starts(with: $0) }
    }

    mutating func scan() {
        while let byte = current {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): advance()
            case UInt8(ascii: "#"): skipComment()
            case UInt8(ascii: "["): scanHeader()
            default: scanPair(below: table, depth: 0)
            }
        }
    }

    private mutating func skipComment() {
        while let byte = current, byte != UInt8(ascii: "\n") { advance() }
    }

    private mutating func skipBlanks() {
        while let byte = current, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { advance() }
    }

    /// Between the elements of an array and of an inline table.
    private mutating func skipBlanksAndComments() {
        while let byte = current {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): advance()
            case UInt8(ascii: "#"): skipComment()
            default: return
            }
        }
    }
}

// MARK: Headers and pairs

extension TOMLScanner {
    /// `[a.b]` or `[[a.b]]`.
    private mutating func scanHeader() {
        let isArray = startsWith("[[")
        advance(isArray ? 2 : 1)
        skipBlanks()
        if nameless == nil, !beginsKey { nameless = line }
        let keys = scanKeys()
        var path: [TOMLStep] = []
        for (index, key) in keys.enumerated() {
            path.append(.key(key))
            note(path)
            guard let count = tableCounts[path], !(isArray && index + 1 == keys.count) else { continue }
            path.append(.index(count - 1))
        }
        if isArray {
            let count = tableCounts[path, default: 0]
            tableCounts[path] = count + 1
            path.append(.index(count))
            note(path)
        }
        table = path
        while let byte = current, byte == UInt8(ascii: "]") || byte == UInt8(ascii: " ") { advance() }
    }

    /// Bare keys are ASCII.
    private var beginsKey: Bool {
        guard let current else { return false }
        return current == UInt8(ascii: "\"") || current == UInt8(ascii: "'")
            || (current < 0x80 && TOMLScanner.isBare(current))
    }

    /// `a.b = value`.
    private mutating func scanPair(below parent: [TOMLStep], depth: Int) {
        let start = position
        let keyLine = line
        var path = parent
        for key in scanKeys() {
            path.append(.key(key))
            note(path, at: keyLine)
        }
        skipBlanks()
        if current == UInt8(ascii: "=") { advance() }
        skipBlanks()
        scanValue(at: path, depth: depth)
        // What is no TOML must not hold it up.
        if position == start { advance() }
    }

    /// The first mention counts.
    private mutating func note(_ path: [TOMLStep], at line: Int? = nil) {
        if lines[path] == nil { lines[path] = line ?? self.line }
    }

    /// Keys between dots.
    private mutating func scanKeys() -> [String] {
        var keys: [String] = []
        while true {
            skipBlanks()
            let start = position
            keys.append(scanKey())
            skipBlanks()
            guard position > start, current == UInt8(ascii: ".") else { return keys }
            advance()
        }
    }

    private mutating func scanKey() -> String {
        switch current {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return scanString()
        default:
            let start = position
            while let byte = current, TOMLScanner.isBare(byte) { advance() }
            return String(decoding: bytes[start..<position], as: UTF8.self)
        }
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...:
            true
        default: false
        }
    }
}

// MARK: Values

extension TOMLScanner {
    private mutating func scanValue(at path: [TOMLStep], depth: Int) {
        guard depth < TOMLScanner.depthMax else {
            position = bytes.count
            return
        }
        switch current {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): _ = scanString()
        case UInt8(ascii: "["): scanArray(at: path, depth: depth)
        case UInt8(ascii: "{"): scanInlineTable(at: path, depth: depth)
        default: skipScalar()
        }
    }

    /// A number, a boolean, a date: up to what ends it.
    private mutating func skipScalar() {
        while let byte = current {
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "#"), UInt8(ascii: "\n"): return
            default: advance()
            }
        }
    }

    private mutating func scanArray(at path: [TOMLStep], depth: Int) {
        advance()
        var index = 0
        while true {
            skipBlanksAndComments()
            guard let byte = current else { return }
            switch byte {
            case UInt8(ascii: "]"): return advance()
            case UInt8(ascii: ","): advance()
            default:
                let start = position
                note(path + [.index(index)])
                scanValue(at: path + [.index(index)], depth: depth + 1)
                index += 1
                if position == start { advance() }
            }
        }
    }

    private mutating func scanInlineTable(at path: [TOMLStep], depth: Int) {
        advance()
        while true {
            skipBlanksAndComments()
            guard let byte = current else { return }
            switch byte {
            case UInt8(ascii: "}"): return advance()
            case UInt8(ascii: ","): advance()
            default: scanPair(below: path, depth: depth + 1)
            }
        }
    }
}

// MARK: Strings

extension TOMLScanner {
    /// Any of the four kinds, with what it stands for.
    private mutating func scanString() -> String {
        let quote = bytes[position]
        let isLong = bytes.dropFirst(position).prefix(3).allSatisfy { $0 == quote } && position + 2 < bytes.count
        advance(isLong ? 3 : 1)
        var content: [UInt8] = []
        while let byte = current {
            if byte == quote, endsString(quote, isLong: isLong, &content) { break }
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                scanEscape(into: &content)
            } else if byte == UInt8(ascii: "\n"), !isLong {
                break
            } else {
                content.append(byte)
                advance()
            }
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// Up to two quotation marks may stand before the three that end a long string.
    private mutating func endsString(_ quote: UInt8, isLong: Bool, _ content: inout [UInt8]) -> Bool {
        let run = bytes[position...].prefix(isLong ? 5 : 1).prefix { $0 == quote }.count
        advance(run)
        guard isLong else { return true }
        content += Array(repeating: quote, count: run >= 3 ? run - 3 : run)
        return run >= 3
    }

    private mutating func scanEscape(into content: inout [UInt8]) {
        let escapeLine = line
        advance()
        guard let kind = current else { return }
        advance()
        switch kind {
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "e"): content.append(0x1B)
        case UInt8(ascii: "x"): appendScalar(digitCount: 2, escapeLine, to: &content)
        case UInt8(ascii: "u"): appendScalar(digitCount: 4, escapeLine, to: &content)
        case UInt8(ascii: "U"): appendScalar(digitCount: 8, escapeLine, to: &content)
        default: content.append(kind)
        }
    }

    private mutating func appendScalar(digitCount: Int, _ escapeLine: Int, to content: inout [UInt8]) {
        let digits = bytes[position...].prefix(digitCount)
        advance(digits.count)
        guard let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
            let scalar = Unicode.Scalar(value)
        else { return }
        if value == 0 { zeros.append(escapeLine) }
        content += Array(String(Character(scalar)).utf8)
    }
}
