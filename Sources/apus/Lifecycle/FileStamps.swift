// What files are at one moment, without what is in them: enough to tell that one was replaced. Links are followed.

import Glibc

struct FileStamps: Equatable, Sendable {
    private struct Stamp: Equatable, Sendable {
        let inode: UInt64
        let byteCount: Int64
        let seconds: Int
        let nanoseconds: Int
    }

    /// A file that is not there has none.
    private var stamps: [String: Stamp] = [:]

    init(of paths: Set<String>) {
        for path in paths {
            var status = stat()
            guard stat(path, &status) == 0 else { continue }
            stamps[path] = Stamp(
                inode: UInt64(status.st_ino), byteCount: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
                nanoseconds: status.st_mtim.tv_nsec)
        }
    }

    /// Of these files alone.
    func only(_ paths: Set<String>) -> FileStamps {
        var some = self
        some.stamps = stamps.filter { paths.contains($0.key) }
        return some
    }

    /// With those files that were not looked at before, as they are now.
    func adding(_ paths: Set<String>) -> FileStamps {
        var more = FileStamps(of: paths)
        more.stamps.merge(stamps) { _, earlier in earlier }
        return more
    }
}
