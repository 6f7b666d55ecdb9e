// The ring that simulations give to a shard: it hands everything to a simulated kernel, which tests can reach too.

import ApusReactor

struct SimulatedRing: RingIO, ~Copyable {
    let kernel: SimulatedKernel
    private(set) var now: Instant

    init(_ kernel: SimulatedKernel) {
        self.kernel = kernel
        now = kernel.now
    }

    mutating func accept(on listener: Descriptor, token: Token) { kernel.prepareAccept(listener, token) }
    mutating func receive(from socket: Descriptor, token: Token) { kernel.prepareReceive(socket, token) }
    mutating func shutdownWrite(_ socket: Descriptor, token: Token) { kernel.prepareShutdown(socket, token) }
    mutating func close(_ descriptor: Descriptor, token: Token) { kernel.prepareClose(descriptor, token) }
    mutating func cancel(_ target: Token, token: Token) { kernel.prepareCancel(of: target, token) }
    mutating func awaitWake(_ eventDescriptor: Descriptor, token: Token) { kernel.prepareWake(eventDescriptor, token) }
    func host(of socket: Descriptor) -> HostAddress? { kernel.host(of: socket) }
    func acceptNow(on listener: Descriptor) -> Descriptor? { kernel.acceptNow(on: listener) }
    func closeNow(_ descriptor: Descriptor) { kernel.closeNow(descriptor) }
    mutating func next() -> Completion? { kernel.nextCompletion() }
    mutating func recycle(_ lease: Lease) { kernel.recycle(lease) }
    func plants(_ fault: PlantedFault) -> Bool { kernel.planted == fault }

    mutating func send(_ bytes: UnsafeRawBufferPointer, to socket: Descriptor, token: Token) {
        kernel.prepareSend(bytes, socket, token)
    }

    mutating func ringDoorbell(of target: Descriptor, delivering delivered: Token, token: Token) {
        kernel.prepareDoorbell(of: target, delivering: delivered, token)
    }

    mutating func submitAndWait(until deadline: Instant) {
        kernel.wait(until: deadline)
        now = kernel.now
    }
}
