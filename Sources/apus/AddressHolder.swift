// Who listens at an address, from /proc. Other users' processes cannot be seen without privileges; then it is nobody.

import Foundation
import Glibc

struct AddressHolder {
    let process: Int32
    /// As the kernel knows it: at most 15 bytes.
    let name: String

    static func find(_ address: String) -> AddressHolder? {
        let inodes = address.hasPrefix("unix:")
            ? unixInodes(of: String(address.dropFirst("unix:".count))) : tcpInodes(ofPortIn: address)
        guard !inodes.isEmpty else { return nil }
        let targets = Set(inodes.map { "socket:[\($0)]" })
        // What was left open in this process when it was started is not what is in the way.
        for process in entries(of: "/proc").compactMap({ Int32($0) }) where process != getpid() {
            let folder = "/proc/\(process)/fd"
            let holds = entries(of: folder).contains { descriptor in
                link("\(folder)/\(descriptor)").map(targets.contains) ?? false
            }
            if holds { return AddressHolder(process: process, name: lines("/proc/\(process)/comm").first ?? "?") }
        }
        return nil
    }

    /// Listening sockets with the port, on whatever address: any of them may be in the way.
    private static func tcpInodes(ofPortIn address: String) -> [String] {
        let port = address.lastIndex(of: ":").flatMap { UInt16(address[$0...].dropFirst()) } ?? 0
        return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap(lines).compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == listening,
                let local = fields[1].split(separator: ":").last, UInt16(local, radix: 16) == port
            else { return nil }
            return String(fields[9])
        }
    }

    /// TCP_LISTEN, as the table writes it.
    private static let listening = "0A"

    private static func unixInodes(of path: String) -> [String] {
        lines("/proc/net/unix").compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 7)
            return fields.count == 8 && fields[7] == path ? String(fields[6]) : nil
        }
    }

    private static func lines(_ path: String) -> [String] {
        guard let bytes = FileManager.default.contents(atPath: path) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// None where the folder is another's, or gone by now.
    private static func entries(of folder: String) -> [String] {
        do { return try FileManager.default.contentsOfDirectory(atPath: folder) } catch { return [] }
    }

    private static func link(_ path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: 64)
        let count = readlink(path, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }
}
