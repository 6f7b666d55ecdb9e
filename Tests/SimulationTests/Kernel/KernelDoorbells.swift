// Rings of several shards, and the doorbells with which they wake one another.

import ApusReactor
import Glibc

extension SimulatedKernel {
    /// What shards know one another's rings by, far from all other descriptors.
    static let ringFirst: Int32 = 1 << 28
    /// Descriptors of different kernels differ: so many of each kind may be one kernel's.
    static let socketBits = 16
    static let listenerBits = 8

    var ringDescriptor: Descriptor { Descriptor(SimulatedKernel.ringFirst + Int32(number)) }

    /// From now on others can wake the user of this ring.
    func hangDoorbell() {
        world.doorbells[number] = { [unowned self] token in post(token, 0) }
    }

    /// Its user has gone.
    func takeDoorbellDown() { world.doorbells[number] = nil }

    func ring(_ shard: Int, _ delivered: Token, _ token: Token) {
        guard let deliver = world.doorbells[shard] else { return post(token, -EBADFD) }
        if random.chance(perMille: weather.failsDoorbells) { return post(token, -EOVERFLOW) }
        deliver(delivered)
        post(token, 0)
    }

    /// Somebody has taken a doorbell, or has learned that one was not heard: he has to ring again.
    func noteHeard(_ completion: Completion) {
        switch completion.token.operation {
        case .doorbell: world.doorbellsUnderWay[number, default: 0] -= 1
        case .ring where completion.result < 0:
            world.doorbellsUnderWay[Int(completion.token.slot), default: 0] -= 1
        case .accept, .receive, .send, .shutdown, .close, .cancel, .wake, .ring, .connect, nil: break
        }
    }
}
