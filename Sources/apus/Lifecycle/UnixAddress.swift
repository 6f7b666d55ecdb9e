// The name of a UNIX socket as system calls want it: a path, or @NAME for one without a file. It opens nothing.

import Glibc

struct UnixAddress {
    let name: String
    private var storage = sockaddr_un()
    private let byteCount: socklen_t

    /// Nil for a name that the kernel does not take: empty, too long, or with a zero byte in it.
    init?(_ name: String) {
        var bytes = Array(name.utf8)
        let isAbstract = bytes.first == UInt8(ascii: "@")
        let room = MemoryLayout.size(ofValue: storage.sun_path)
        // A path ends with a zero byte; an abstract name begins with one, and ends where it ends.
        guard !bytes.isEmpty, !bytes.contains(0), bytes.count <= (isAbstract ? room : room - 1) else { return nil }
        if isAbstract { bytes[0] = 0 }
        self.name = name
        storage.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &storage.sun_path) { $0.copyBytes(from: bytes) }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        byteCount = socklen_t(offset + bytes.count + (isAbstract ? 0 : 1))
    }

    /// What `bind` and `connect` want. The structure is large enough for a path of any length that `init` takes.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        // A `sockaddr_un` is a `sockaddr`; the pointer is used inside the closures only.
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, byteCount) }
        }
    }
}

/// Of the last system call, in words.
func systemErrorText() -> String { String(cString: strerror(errno)) }
