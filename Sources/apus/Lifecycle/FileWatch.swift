// Tells that files have changed, however they were replaced: written over, renamed into place, or switched by a link in
// their folder, as Kubernetes does. It watches the folders, reads no file, and says nothing of what is in them.

import Foundation
import Glibc
import Synchronization

final class FileWatch: Sendable {
    /// A certificate and its key are replaced one after the other: both, before anybody looks.
    private static let quietMilliseconds: Int32 = 500
    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

    let paths: Set<String>
    private let descriptor: Int32
    /// A pipe: its writer is closed when it is to end.
    private let ending: (reader: Int32, writer: Int32)
    private let changed: @Sendable () -> Void
    private let complain: @Sendable (String) -> Void

    /// - Parameters:
    ///   - complain: hears of folders that cannot be watched.
    ///   - changed: called on the watch's own thread, once for changes that come together.
    init?(
        _ paths: Set<String>, complain: @escaping @Sendable (String) -> Void, changed: @escaping @Sendable () -> Void
    ) {
        self.paths = paths
        self.changed = changed
        self.complain = complain
        descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        var ends: [Int32] = [-1, -1]
        let piped = pipe(&ends)
        // A successor that is started in between gets two more descriptors, which do it no harm.
        ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
        ending = (ends[0], ends[1])
        guard descriptor >= 0, piped == 0 else {
            complain("files are not watched: \(String(cString: strerror(errno))); reload by hand when they change")
            return nil
        }
        watchFolders()
        Thread.detachNewThread { self.run() }
    }

    /// From now on nothing is told.
    func end() { close(ending.writer) }

    private var folders: Set<String> {
        Set(paths.map { path in
            let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            return path.hasPrefix("/") && folder.isEmpty ? "/" : folder.isEmpty ? "." : folder
        })
    }

    private func watchFolders() {
        for folder in folders where inotify_add_watch(descriptor, folder, FileWatch.mask) < 0 {
            complain("\(folder) is not watched: \(String(cString: strerror(errno))); reload by hand when files change")
        }
    }

    private func run() {
        var before = stamps
        while awaitEvents(milliseconds: -1) {
            drain()
            // Until nothing has come for a while.
            while awaitEvents(milliseconds: FileWatch.quietMilliseconds, endsQuietly: true) { drain() }
            if isEnding { break }
            let now = stamps
            if now != before { changed() }
            before = now
            watchFolders()
        }
        close(descriptor)
        close(ending.reader)
    }

    private var isEnding: Bool {
        var poll = pollfd(fd: ending.reader, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) > 0
    }

    /// Whether there are events; not when it is to end, nor, with a limit, when none has come in time.
    private func awaitEvents(milliseconds: Int32, endsQuietly: Bool = false) -> Bool {
        while true {
            var polls = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: ending.reader, events: Int16(POLLIN), revents: 0),
            ]
            let count = Glibc.poll(&polls, 2, milliseconds)
            if polls[1].revents != 0 || (count < 0 && errno != EINTR) { return false }
            if polls[0].revents != 0 { return true }
            if count == 0, endsQuietly { return false }
        }
    }

    /// Which names changed does not matter: what counts are the files.
    private func drain() {
        var events = [UInt8](repeating: 0, count: 4096)
        while read(descriptor, &events, events.count) > 0 {}
    }

    /// What each file is, so that a neighbour's change tells nothing. Links are followed.
    private struct Stamp: Equatable {
        let inode: UInt64
        let byteCount: Int64
        let seconds: Int
        let nanoseconds: Int
    }

    private var stamps: [String: Stamp] {
        var stamps: [String: Stamp] = [:]
        for path in paths {
            var status = stat()
            guard stat(path, &status) == 0 else { continue }
            stamps[path] = Stamp(
                inode: UInt64(status.st_ino), byteCount: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
                nanoseconds: status.st_mtim.tv_nsec)
        }
        return stamps
    }
}
