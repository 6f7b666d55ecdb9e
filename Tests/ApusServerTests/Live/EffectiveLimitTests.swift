// What a configuration comes to: sums that add up, and what a host cannot give.

import ApusSecurity
import ApusServer
import Testing

@Suite struct EffectiveLimitTests {
    private let host = HostLimits(
        descriptors: 1000, tcpSendByteCountMax: 4 << 20, tcpReceiveByteCountMax: 6 << 20, unixByteCount: 212_992,
        tcpTotalByteCountMax: 1 << 30)

    private func limits(_ change: (inout ServerConfiguration) -> Void = { _ in }) -> [String: EffectiveLimit] {
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        change(&configuration)
        let limits = configuration.effectiveLimits(on: host)
        return Dictionary(uniqueKeysWithValues: limits.map { ($0.name, $0) })
    }

    @Test func connectionsAreWhatDescriptorsReach() throws {
        let reached = try #require(limits()["connections"])
        // 32 for the process, 32 for admin connections, 4 for the shard: a socket and its copy, the ring, the eventfd.
        #expect(reached.sum == 1000 - 68)
        #expect(reached.terms.map(\.value) == [10_000, -9068])
        let configured = try #require(limits { $0.maxConnections = 900 }["connections"])
        #expect(configured.terms.map(\.value) == [900])
    }

    @Test func descriptorsAddUpToWhatThereIs() throws {
        let descriptors = try #require(
            limits {
                $0.shards = 4
                $0.listeners.append(ListenerConfiguration(name: "b", address: "127.0.0.1:0"))
            }["descriptors"])
        #expect(descriptors.terms.map(\.value) == [1000 - 4 * 6 - 64, 8, 8, 8, 64])
        #expect(descriptors.sum == 1000 && !descriptors.isBeyondHost)
    }

    @Test func memoryCountsBudgetsBuffersAndSlots() throws {
        let all = limits { $0.shards = 3 }
        let shard = try #require(all["memory of a shard"])
        #expect(shard.terms.first?.value == 256 << 20)
        #expect(shard.terms.dropFirst().first?.value == 64 << 20)
        let process = try #require(all["memory of the process"])
        #expect(process.terms.first?.value == 3 * shard.sum)
        // 76 descriptors are for others; four times the rest can be counted, with two entries of 16 bytes each.
        #expect(process.terms.last?.value == 2 * 4 * 924 * 16)
        #expect(shard.terms.suffix(2).map(\.reason).contains { $0.contains("32 admin connections") })
        #expect(shard.terms.last?.value == 256 << 10)
        let handshakes = limits { $0.listeners[0].security = .handshake(HandshakeSettings()) }
        let replay = try #require(handshakes["memory of the process"]?.terms.last)
        #expect(replay.value == ReplayTable(handshakesPerSecond: 2000).memoryByteCount)
    }

    @Test func kernelBuffersCountTheCostliestListener() throws {
        let kernel = try #require(limits { $0.maxConnections = 100 }["kernel socket buffers"])
        #expect(kernel.terms.map(\.value) == [100 * 4 << 20, 100 * 6 << 20])
        #expect(!kernel.isBeyondHost)
        let more = try #require(limits { $0.maxConnections = 900 }["kernel socket buffers"])
        #expect(more.isBeyondHost)
        let bounded = try #require(
            limits {
                $0.maxConnections = 100
                $0.listeners[0].sendBufferByteCount = 65_536
                $0.listeners.append(ListenerConfiguration(name: "path", address: "unix:/a"))
            }["kernel socket buffers"])
        #expect(bounded.terms.first?.value == 100 * 2 * 65_536)
    }

    @Test func thisHostHasLimits() {
        let host = HostLimits.current()
        #expect(host.descriptors > 0 && host.tcpSendByteCountMax > 0 && host.unixByteCount > 0)
        for limit in ServerConfiguration(address: "127.0.0.1:0").effectiveLimits() {
            #expect(limit.sum == limit.terms.map(\.value).reduce(0, +) && limit.sum > 0)
            #expect(limit.terms.allSatisfy { !$0.reason.isEmpty })
        }
    }

    @Test func socketSizesHaveBounds() {
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.listeners[0].sendBufferByteCount = 1
        configuration.listeners[0].notSentByteCountMax = 0
        configuration.listeners[0].userTimeout = .zero
        configuration.listeners[0].inherited = [3, 3]
        #expect(configuration.problems().count == 4)
    }
}
