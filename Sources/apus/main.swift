// The command: parse, run one verb, leave with a code that scripts can rely on. Nothing here starts a thread before a
// verb runs: `serve` blocks signals first.

import ArgumentParser

do {
    var verb = try Apus.parseAsRoot(RelativeArguments.rewritten(Array(CommandLine.arguments.dropFirst())))
    try verb.run()
} catch {
    ExitStatus.leave(because: error)
}
