// The real server, as the life of a process drives it.

import ApusServer

extension ServerHandle: LifecycleServer {
    func drain(timeout: Duration, over window: Duration?) { shutdown(timeout: timeout, over: window) }

    func waitForEnd() -> ServerExit { wait() }

    func listeningSockets() -> [LifecycleListener] {
        copyListeningDescriptors().map { copy in
            LifecycleListener(name: copy.name, address: copy.address, descriptors: copy.descriptors)
        }
    }

    var totals: ServerTotals {
        let metrics = metrics
        return ServerTotals(openConnections: metrics.openConnections, messages: metrics.packetsReceived)
    }
}
