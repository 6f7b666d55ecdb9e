// tidy: stands in until the live listeners are merged.

import ApusServer

extension ServerHandle {
    func shutdown(timeout: Duration?, over window: Duration?) { shutdown(timeout: timeout) }
    func copyListeningDescriptors() -> [(name: String, address: String, descriptors: [Int32])] { [] }
    func releaseListeners() {}
}

extension ListenerConfiguration {
    var inherited: [Int32] {
        get { [] }
        set {}
    }
}
