// Tells that files have changed, however they were replaced: written over, renamed into place, or switched by a link in
// their folder, as Kubernetes does. It watches the folders, reads no file, and says nothing of what is in them.

import Foundation
import Glibc
import Synchronization

final class FileWatch: Sendable {
    /// A certificate and its key are replaced one after the other: both, before anybody looks. A folder that is never
    /// quiet is looked at all the same, after so many times.
    private static let quietMilliseconds: Int32 = 500
    private static let noisyRoundsMax = 10
    /// Files are also looked at without being told: a link may lead through folders that nobody watches.
    private static let patienceMilliseconds: Int32 = 60_000
    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

    let paths: Set<String>
    private let descriptor: Int32
    /// Two ends of one: the writer is closed when it is to end.
    private let ending: (reader: Int32, writer: Int32)
    private let isEnded = Atomic(false)
    /// Folders that could not be watched, each complained of once.
    private let missing = Mutex<Set<String>>([])
    private let changed: @Sendable () -> Void
    private let complain: @Sendable (String) -> Void

    /// - Parameters:
    ///   - complain: hears of folders that cannot be watched.
    ///   - known: what the files were when somebody read them.
    ///   - changed: called on the watch's own thread, once for changes that come together.
    init?(
        _ paths: Set<String>, known: FileStamps, complain: @escaping @Sendable (String) -> Void,
        changed: @escaping @Sendable () -> Void
    ) {
        self.paths = paths
        self.changed = changed
        self.complain = complain
        descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        var ends: [Int32] = [-1, -1]
        let piped = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends)
        ending = (ends[0], ends[1])
        guard descriptor >= 0, piped == 0 else {
            complain("files are not watched: \(String(cString: strerror(errno))); reload by hand when they change")
            ([descriptor] + ends).filter { $0 >= 0 }.forEach { close($0) }
            return nil
        }
        Thread.detachNewThread { self.run(known) }
    }

    /// From now on nothing is told.
    func end() {
        if !isEnded.exchange(true, ordering: .relaxed) { close(ending.writer) }
    }

    private var folders: Set<String> {
        Set(paths.map { path in
            let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            return path.hasPrefix("/") && folder.isEmpty ? "/" : folder.isEmpty ? "." : folder
        })
    }

    /// Again each time: a folder may have been removed and made anew.
    private func watchFolders() {
        for folder in folders where inotify_add_watch(descriptor, folder, FileWatch.mask) < 0 {
            guard missing.withLock({ $0.insert(folder).inserted }) else { continue }
            complain("\(folder) is not watched: \(String(cString: strerror(errno))); reload by hand when files change")
        }
    }

    private func run(_ known: FileStamps) {
        var before = known.only(paths)
        repeat {
            watchFolders()
            let now = FileStamps(of: paths)
            if now != before, !isEnding { changed() }
            before = now
            // Nobody looks before nothing has come for a while.
            if awaitEvents(milliseconds: FileWatch.patienceMilliseconds) { awaitQuiet() }
        } while !isEnding
        close(descriptor)
        close(ending.reader)
    }

    private func awaitQuiet() {
        drain()
        for _ in 0..<FileWatch.noisyRoundsMax {
            guard awaitEvents(milliseconds: FileWatch.quietMilliseconds) else { return }
            drain()
        }
    }

    private var isEnding: Bool {
        var poll = pollfd(fd: ending.reader, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) > 0
    }

    /// Whether there are events; not when it is to end, nor when none has come in time.
    private func awaitEvents(milliseconds: Int32) -> Bool {
        var polls = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: ending.reader, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&polls, 2, milliseconds) > 0 else { return false }
        return polls[1].revents == 0 && polls[0].revents != 0
    }

    /// Which names changed does not matter: what counts are the files.
    private func drain() {
        var events = [UInt8](repeating: 0, count: 4096)
        while read(descriptor, &events, events.count) > 0 {}
    }
}
