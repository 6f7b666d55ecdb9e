// What holds when the shard has ended: all is given back, and what was counted is what happened.

import ApusReactor
import ApusServer

extension Simulation {
    func checkEnd() {
        checkClients()
        checkHosts()
        simulated.checkEnd(audit)
        checkForcedCloses()
        checkPushes()
    }

    private func checkHosts() {
        let hostPlaces = shared.hosts.connectionCount
        if hostPlaces != 0 { kernel.report(.hostPlaceLeaked, "\(hostPlaces) connections counted for their hosts") }
    }

    private func checkForcedCloses() {
        let counters = simulated.counters
        let forced = counters.closed(.drainForced) + counters.closed(.stopped)
        if forced > shared.forcedCount { simulated.expect("forced", UInt64(shared.forcedCount), forced) }
    }

    private func checkPushes() {
        let counters = state.pointee.counters
        let heard = clients.reduce(0) { $0 + UInt64($1.hearing.pushCount) }
        let (taken, made) = (counters.pushes.count, UInt64(pushCount))
        if heard + counters.dropped(.pushForGoneConnection) > taken || taken > made {
            kernel.report(.countersDisagree, "of \(made) pushes \(taken) were taken and \(heard) heard")
        }
    }
}
