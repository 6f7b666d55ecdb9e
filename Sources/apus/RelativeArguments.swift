// A command line as the relatives of the relay read one, turned into what our parser reads the same way: `--flag VALUE`
// takes whatever comes next, `-lVALUE` and `-l=VALUE` are `-l VALUE`, and flags that are true or false may stand alone
// or say which.

import ApusConfiguration

enum RelativeArguments {
    /// Those of `apus serve` that are true or false, and of which our parser wants the name alone.
    private static let ownFlags: Set = [
        "--relay", "--insecure-allow-any-token", "--system-aliases", "--limit-loopback", "--admin", "--log-json",
        "--verify-client", "--verify-client-optional", "--allow-v1",
    ]
    /// Shared by the relatives and ours, with a value.
    private static let options: [String: RelativeOption] = {
        let options = RelativeOption.all
        let shorts = options.compactMap { option in option.short.map { ("-\($0)", option) } }
        return Dictionary(uniqueKeysWithValues: options.map { ($0.flag, $0) } + shorts)
    }()

    /// - Parameter arguments: without the program's name. Those without `--relay` are returned as they are.
    static func rewritten(_ arguments: [String]) -> [String] {
        let isRelay = arguments.contains { $0 == "--relay" || $0.hasPrefix("--relay=") }
        guard isRelay else { return arguments }
        var rest = arguments[...]
        var rewritten: [String] = []
        while let argument = rest.popFirst() {
            // Behind it nothing is a flag.
            if argument == "--" { return rewritten + [argument] + rest }
            rewritten += flag(argument) ?? option(argument, &rest) ?? [argument]
        }
        return rewritten
    }

    /// `--relay=true` is `--relay`, `--relay=false` nothing. What is neither is left for the parser to refuse.
    private static func flag(_ argument: String) -> [String]? {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, ownFlags.contains(parts[0]) else { return nil }
        return truth(parts[1]).map { $0 ? [parts[0]] : [] }
    }

    /// `--name=VALUE`, with the value from behind it where it is not in the argument; nothing for an empty one.
    private static func option(_ argument: String, _ rest: inout ArraySlice<String>) -> [String]? {
        let name = argument.hasPrefix("--") ? argument.prefix { $0 != "=" } : argument.prefix(2)
        guard let option = options[String(name)] else { return nil }
        let behind = argument.dropFirst(name.count)
        if behind.isEmpty, option.isFlag { return ["\(option.flag)=true"] }
        guard let value = behind.isEmpty ? rest.popFirst() : value(behind) else { return [argument] }
        // Charts write their flags whether or not there is something to say: like an empty variable, it is not given.
        return value.isEmpty ? [] : ["\(option.flag)=\(spelled(value, option))"]
    }

    private static func value(_ behind: Substring) -> String {
        String(behind.hasPrefix("=") ? behind.dropFirst() : behind)
    }

    /// Our parser has a list of levels.
    private static func spelled(_ value: String, _ option: RelativeOption) -> String {
        guard option.name == "log-level" else { return value }
        let level = value.lowercased()
        return ["panic", "fatal"].contains(level) ? LogLevelArgument.critical.rawValue : level
    }

    /// As Go reads one.
    private static func truth(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }
}
