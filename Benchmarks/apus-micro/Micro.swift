// The micro benchmarks of codec and dispatcher. `time` prints nanoseconds; `count` does a fixed amount of work for
// callgrind, which `Benchmarks/micro` runs twice to see what one packet costs.

@main
struct Micro {
    static func main() throws {
        var arguments = CommandLine.arguments.dropFirst()
        switch arguments.popFirst() {
        case "time": try time(passesOfMillions: arguments.first == "--tiny" ? 0.05 : 1)
        case "count": try count(Array(arguments))
        default: usage()
        }
    }

    /// Median nanoseconds per packet over rounds that take the cases in turn.
    private static func time(passesOfMillions: Double) throws {
        let rig = try SessionRig()
        let clock = ContinuousClock()
        var rounds: [MicroCase: [Double]] = [:]
        for _ in 0..<15 {
            for micro in MicroCase.allCases {
                let bytes = micro.packets
                let wanted = Int(passesOfMillions * 1_000_000) / (micro == .sessionEcho16k ? 50 : 1)
                var handled = 0
                let taken = clock.measure { handled = micro.run(packets: wanted, bytes, rig) }
                let (seconds, attoseconds) = taken.components
                rounds[micro, default: []].append(
                    (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(handled))
            }
        }
        for micro in MicroCase.allCases {
            let sorted = (rounds[micro] ?? []).sorted()
            print("\(micro.rawValue) \(rounded(sorted[sorted.count / 2])) ns (best \(rounded(sorted[0])) ns)")
        }
    }

    private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    private static func count(_ arguments: [String]) throws {
        guard arguments.count == 2, let packets = Int(arguments[1]),
            let micro = MicroCase(rawValue: arguments[0])
        else { return usage() }
        let rig = try SessionRig()
        print(micro.run(packets: packets, micro.packets, rig))
    }

    private static func usage() {
        print("usage: apus-micro time [--tiny] | apus-micro count CASE PACKETS")
        print("cases: \(MicroCase.allCases.map(\.rawValue).joined(separator: " "))")
    }
}
