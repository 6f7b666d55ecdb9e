// The line index on TOML that tries to mislead it.

import Testing

@testable import ApusConfiguration

@Suite struct TOMLLinesTests {
    private func line(_ text: String, _ steps: TOMLStep...) -> Int? { TOMLLines(of: text).line(of: steps) }

    @Test func tablesAndKeys() {
        let text = "# a comment\n\n[server]\nshards = 2 # 3\n\tmax_connections=1\r\n[client]\naddress = \"x\"\n"
        #expect(line(text, .key("server")) == 3)
        #expect(line(text, .key("server"), .key("shards")) == 4)
        #expect(line(text, .key("server"), .key("max_connections")) == 5)
        #expect(line(text, .key("client"), .key("address")) == 7)
    }

    @Test func arraysOfTables() {
        let text = "[[listener]]\nname = \"a\"\n\n[[listener]]\nname = \"b\"\n[listener.sub]\nkey = 1\n"
        #expect(line(text, .key("listener")) == 1)
        #expect(line(text, .key("listener"), .index(0), .key("name")) == 2)
        #expect(line(text, .key("listener"), .index(1)) == 4)
        #expect(line(text, .key("listener"), .index(1), .key("name")) == 5)
        #expect(line(text, .key("listener"), .index(1), .key("sub"), .key("key")) == 7)
    }

    @Test func dottedAndQuotedKeys() {
        let text = "a . b.c = 1\n\"x.y\".'z' = 2\n[ q . \"r s\" ]\n\"t\\u0041\" = 3\n"
        #expect(line(text, .key("a"), .key("b"), .key("c")) == 1)
        #expect(line(text, .key("x.y"), .key("z")) == 2)
        #expect(line(text, .key("q"), .key("r s")) == 3)
        #expect(line(text, .key("q"), .key("r s"), .key("tA")) == 4)
    }

    @Test func longStringsHoldNoKeys() {
        let text = """
            a = \"\"\"
            [server]
            b = 1 \\\"""
            still""\"\"\"
            c = '''
            ]] "" ''
            d = 2'''''
            e = 3
            """
        #expect(line(text, .key("b")) == nil)
        #expect(line(text, .key("server")) == nil)
        #expect(line(text, .key("c")) == 5)
        #expect(line(text, .key("d")) == nil)
        #expect(line(text, .key("e")) == 8)
    }

    @Test func arraysAndInlineTables() {
        let text = """
            a = [
              # ] not its end
              "x]", [1, 2],

              { k = 1, l = [
                3 ] },
            ]
            b = { c.d = "}", e = 2 }
            f = 1
            """
        #expect(line(text, .key("a"), .index(0)) == 3)
        #expect(line(text, .key("a"), .index(1), .index(1)) == 3)
        #expect(line(text, .key("a"), .index(2), .key("l"), .index(0)) == 6)
        #expect(line(text, .key("b"), .key("c"), .key("d")) == 8)
        #expect(line(text, .key("b"), .key("e")) == 8)
        #expect(line(text, .key("f")) == 9)
    }

    @Test func whatIsNotThereIsWhereItsTableIs() {
        #expect(line("\n[server]\n", .key("server"), .key("shards")) == 2)
        #expect(line("", .key("server")) == nil)
    }

    @Test func aByteOrderMarkIsNoKey() {
        #expect(line("\u{FEFF}a = 1\n", .key("a")) == 1)
    }

    @Test func zerosInStringsAreFound() {
        #expect(TOMLLines(of: "a = 1\nb = \"x\\u0000\"\nc = \"\"\"\n\\U00000000\"\"\"\nd = '\\u0000'").zeros == [2, 4])
    }

    /// The parser of TOMLKit 0.6.0 ends the process on these.
    @Test(arguments: ["[=", "[.a]", "[#]", "\n[[ ,", "[\u{E9}]", "[\n]", "[[", "[]"])
    func aHeaderWithoutAKeyIsNotHandedOn(header: String) {
        let text = "a = 1\n" + header
        #expect(throws: TOMLSyntaxError.self) { try TOMLNode.parse(text, TOMLLines(of: text)) }
    }

    /// Every beginning of a text comes to an end, and so does anything else.
    @Test func damagedTextsComeToAnEnd() {
        let text =
            "[[a]]\nb = [ { c = \"\\u00\", d = '''x''' }, 1 ]\n\"k\".l = \"\"\"\n\"\"\"\n[x.'y']\nz = 1979-05-27\n"
        for count in 0...text.utf8.count {
            _ = TOMLLines(of: String(decoding: Array(text.utf8.prefix(count)), as: UTF8.self))
            _ = TOMLLines(of: String(decoding: Array(text.utf8.dropFirst(count)), as: UTF8.self))
        }
        for opening in ["[", "{", "[{a=", "a=[", "a={b="] {
            _ = TOMLLines(of: "k = " + String(repeating: opening, count: 10_000))
        }
    }

    /// Wherever the parser finds a value, the index has its line.
    @Test func theIndexKnowsEveryKeyOfTheParser() throws {
        let text = "a.b = 1\n[c]\nd = {e = [1, {f = 2}]}\n[[g.h]]\ni = 3\n[[g.h]]\n'j' = 4\n[g.h.k]\nl = 5\n"
        let lines = TOMLLines(of: text)
        func check(_ node: TOMLNode, _ path: [TOMLStep]) {
            if !path.isEmpty { #expect(lines.line(of: path) != nil, "\(path)") }
            switch node {
            case .table(let entries): for (key, value) in entries { check(value, path + [.key(key)]) }
            case .array(let nodes): for (index, value) in nodes.enumerated() { check(value, path + [.index(index)]) }
            case .text, .integer, .float, .flag, .moment: break
            }
        }
        check(.table(try TOMLNode.parse(text, lines)), [])
        #expect(lines.line(of: [.key("g"), .key("h"), .index(1), .key("k"), .key("l")]) == 9)
    }
}
