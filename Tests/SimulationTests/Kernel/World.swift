// What the simulated kernels of one run share: the time, what will happen, who can be woken, and the first thing that
// did not hold. A run with several shards has a kernel for each; which of them gets on is not for the world to say.

import ApusReactor

final class World {
    var now = Instant(nanoseconds: 1_000_000_000_000)
    /// What peers and the world will do.
    var agenda = Timeline<() -> Void>()
    /// The first violation counts: what follows could be its consequence.
    var violation: Violation?
    /// By shard: what a doorbell does to its ring. One that has ended has none.
    var doorbells: [Int: (Token) -> Void] = [:]
    /// By shard: doorbells that were rung for it and that nobody has heard or lost yet.
    var doorbellsUnderWay: [Int: Int] = [:]

    /// Whether somebody is about to tell a shard that there is mail.
    func isRinging(_ shard: Int) -> Bool { doorbellsUnderWay[shard, default: 0] > 0 }

    /// Whatever is due happens.
    func runDue() {
        while let action = agenda.popDue(at: now) { action() }
    }
}
