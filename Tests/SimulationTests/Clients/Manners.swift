// How a simulated client behaves on its socket: how fast, in which pieces, how patiently, how politely.

import ApusReactor

struct Manners {
    /// When it connects, counted from the start.
    var start: Nanoseconds = 0
    /// The longest it takes to react, and to go on with what it does in pieces.
    var reactionMax: Nanoseconds = 100_000
    var writeMax = 65_536
    var readMax = 65_536
    /// Replies that may be due before it sends more.
    var window = Int.max
    /// The chance, at every step, that it does nothing at all for a while.
    var sulksPerMille = 0
    var sulkMax: Nanoseconds = 0
    var answersPings = true
    var leavesWhenTold = true
    /// Sends its FIN when it has seen the server's.
    var finishesInTurn = true

    /// Does all that a server may expect within a moment, so it must never be taken for dead.
    var isAttentive: Bool { isPrompt && answersPings && readMax >= 1000 }

    /// Never takes long for anything.
    var isPrompt: Bool { sulksPerMille == 0 && reactionMax <= 2 * .millisecond }

    static func random(_ random: inout Generator) -> Manners {
        var manners = Manners()
        manners.start = random.nanoseconds(upTo: random.choice([0, 5 * .millisecond, 2 * .second]))
        manners.reactionMax = random.choice([10_000, 100_000, 2 * .millisecond, 100 * .millisecond])
        manners.writeMax = random.choice([1, 7, 100, 5000, 65_536, 65_536])
        manners.readMax = random.choice([20, 1000, 65_536, 65_536])
        manners.window = random.choice([1, 2, 10, .max, .max])
        if random.chance(perMille: 250) {
            manners.sulksPerMille = random.choice([20, 200])
            manners.sulkMax = random.choice([500 * .millisecond, 3 * .second, 8 * .second])
            // Otherwise it would never be done with answering PINGs.
            manners.writeMax = max(manners.writeMax, 100)
        }
        manners.answersPings = random.chance(perMille: 900)
        manners.leavesWhenTold = random.chance(perMille: 850)
        manners.finishesInTurn = random.chance(perMille: 850)
        return manners
    }
}
