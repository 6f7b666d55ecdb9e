// What a watch on files tells, however they are replaced.

import Foundation
import Synchronization
import TestSupport
import Testing

@testable import apus

@Suite struct FileWatchTests {
    private let scratch: TemporaryFolder

    init() throws { scratch = try TemporaryFolder() }

    /// Counts what it is told, and waits for it.
    private final class Listener: Sendable {
        private let count = Mutex(0)
        let complaints = Mutex<[String]>([])

        var changes: Int { count.withLock { $0 } }

        func tell() { count.withLock { $0 += 1 } }

        /// Whether so many were told; a fault shows after ten seconds.
        func isTold(_ wanted: Int) -> Bool {
            for _ in 0..<1000 where changes < wanted { usleep(10_000) }
            return changes >= wanted
        }
    }

    private func watch(_ paths: [String], _ listener: Listener) throws -> FileWatch {
        let complain: @Sendable (String) -> Void = { text in listener.complaints.withLock { $0.append(text) } }
        let made = FileWatch(
            Set(paths), known: FileStamps(of: Set(paths)), complain: complain, changed: { listener.tell() })
        return try #require(made)
    }

    private func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }

    @Test func aFileThatIsWrittenOverIsTold() throws {
        let (path, listener) = (scratch.file("key"), Listener())
        try write("one", to: path)
        let watch = try watch([path], listener)
        defer { watch.end() }
        try write("another", to: path)
        #expect(listener.isTold(1))
    }

    @Test func aFileThatIsRenamedIntoPlaceIsTold() throws {
        let (path, listener) = (scratch.file("key"), Listener())
        try write("one", to: path)
        let watch = try watch([path], listener)
        defer { watch.end() }
        for round in 1...2 {
            try write("another \(round)", to: path + ".new")
            #expect(rename(path + ".new", path) == 0)
            #expect(listener.isTold(round))
        }
    }

    /// As a volume of Kubernetes changes: the file is a link through a folder that is a link.
    @Test func aLinkThatIsSwitchedIsTold() throws {
        let (folder, listener) = (scratch.file("volume"), Listener())
        let files = FileManager.default
        for version in ["1", "2"] {
            try files.createDirectory(atPath: "\(folder)/\(version)", withIntermediateDirectories: true)
            try write(version, to: "\(folder)/\(version)/key")
        }
        #expect(symlink("1", "\(folder)/data") == 0 && symlink("data/key", "\(folder)/key") == 0)
        let watch = try watch(["\(folder)/key"], listener)
        defer { watch.end() }
        #expect(symlink("2", "\(folder)/data.new") == 0)
        #expect(rename("\(folder)/data.new", "\(folder)/data") == 0)
        #expect(listener.isTold(1))
    }

    @Test func changesThatComeTogetherAreToldOnceAndNeighboursAreNot() throws {
        let (paths, listener) = ([scratch.file("pem"), scratch.file("key")], Listener())
        for path in paths { try write("one", to: path) }
        let watch = try watch(paths, listener)
        try write("neighbour", to: scratch.file("neighbour"))
        for path in paths { try write("another", to: path) }
        #expect(listener.isTold(1))
        watch.end()
        #expect(listener.changes == 1)
    }

    @Test func afterTheEndNothingIsTold() throws {
        let (path, listener) = (scratch.file("key"), Listener())
        try write("one", to: path)
        try watch([path], listener).end()
        try write("another", to: path)
        usleep(800_000)
        #expect(listener.changes == 0)
    }

    @Test func aFolderThatIsNotThereIsComplainedOf() throws {
        let listener = Listener()
        let watch = try watch([scratch.file("absent/key")], listener)
        defer { watch.end() }
        for _ in 0..<1000 where listener.complaints.withLock(\.isEmpty) { usleep(10_000) }
        #expect(listener.complaints.withLock { $0 }.first?.contains("absent is not watched") == true)
    }
}
