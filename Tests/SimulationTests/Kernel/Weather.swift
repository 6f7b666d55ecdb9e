// How unkind a simulated kernel is to the user of its ring.

import ApusReactor

struct Weather {
    // Chances in a thousand.
    /// A receive ends after a completion that brought bytes.
    var endsReceives = 0
    /// An accept ends after a completion that brought a connection.
    var endsAccepts = 0
    /// A receive takes fewer bytes than there are.
    var splitsReceives = 0
    /// A send takes fewer bytes than there is room for.
    var shortensSends = 0
    /// An operation is interrupted (EINTR) or asked to try again (EAGAIN).
    var interrupts = 0
    /// A connection is gone before it is accepted (ECONNABORTED).
    var abortsAccepts = 0
    /// An accept fails for no reason of its own (EINVAL).
    var failsAccepts = 0
    /// Before a cancel works, the kernel gets to its target once more.
    var losesCancels = 0
    /// A wait ends with a completion for an earlier tenant of a slot.
    var bringsStale = 0
    /// A wait ends later than it could have, so that more completions come at once.
    var oversleeps = 0
    /// A doorbell does not reach its ring (EOVERFLOW).
    var failsDoorbells = 0
    /// The longest that the kernel takes to get to an operation, or to tell how it ended.
    var latencyMax: Nanoseconds = 0

    static let calm = Weather()

    static func random(_ random: inout Generator) -> Weather {
        var weather = Weather()
        weather.endsReceives = random.choice([0, 20, 100, 400])
        weather.endsAccepts = random.choice([0, 100, 500])
        weather.splitsReceives = random.choice([0, 100, 500, 900])
        weather.shortensSends = random.choice([0, 100, 500])
        weather.interrupts = random.choice([0, 0, 10])
        weather.abortsAccepts = random.choice([0, 0, 50])
        weather.failsAccepts = random.choice([0, 0, 0, 50])
        weather.losesCancels = random.choice([0, 300, 800])
        weather.bringsStale = random.choice([0, 10, 50])
        weather.oversleeps = random.choice([0, 50, 300])
        weather.latencyMax = random.choice([0, 100_000, 2_000_000, 50_000_000])
        return weather
    }
}
