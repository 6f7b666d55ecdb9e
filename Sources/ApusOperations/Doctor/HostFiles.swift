// The files that a kernel and its administrator describe a host with, below a root: tests give a tree they made up.
// What cannot be read is nil, for a check to call unknown.

import Foundation

package struct HostFiles: Sendable {
    private let root: String

    package init(root: String = "/") {
        self.root = root.hasSuffix("/") ? String(root.dropLast()) : root
    }

    package func text(_ path: String) -> String? {
        do {
            return try String(contentsOfFile: root + path, encoding: .utf8)
        } catch {
            return nil
        }
    }

    package func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: root + path) }

    /// Names in a folder, in order; none when there is no such folder.
    func names(in folder: String) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: root + folder).sorted()
        } catch {
            return []
        }
    }

    /// The permission bits of a file, wherever links lead.
    func mode(_ path: String) -> UInt32? {
        var status = stat()
        return stat(root + path, &status) == 0 ? UInt32(status.st_mode) & 0o777 : nil
    }
}

// MARK: Texts of the kernel

extension HostFiles {
    /// A kernel setting by its dotted name, without the newline.
    func setting(_ name: String) -> String? {
        text("/proc/sys/" + name.replacing(".", with: "/"))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The numbers of a setting that has several, such as `net.ipv4.tcp_rmem`.
    func numbers(_ name: String) -> [Int]? {
        let words = setting(name)?.split(whereSeparator: \.isWhitespace)
        guard let words, !words.isEmpty else { return nil }
        let numbers = words.compactMap { Int($0) }
        return numbers.count == words.count ? numbers : nil
    }

    func number(_ name: String) -> Int? { numbers(name)?.first }

    /// A line `Field: value` of a file such as `/proc/self/status`.
    func field(_ name: String, of path: String) -> String? {
        let line = text(path)?.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        return line.map { $0.dropFirst(name.utf8.count + 1).trimmingCharacters(in: .whitespaces) }
    }

    /// A line `Field: 123 kB`, in bytes.
    func byteCount(_ name: String, of path: String) -> Int? {
        let words = field(name, of: path)?.split(separator: " ")
        guard let words, words.count == 2, words[1] == "kB" else { return nil }
        return Int(words[0]).map { $0 * 1024 }
    }

    /// A limit of this process; `.max` stands for unlimited.
    func limit(_ name: String) -> (soft: Int, hard: Int)? {
        let line = text("/proc/self/limits")?.split(separator: "\n").first { $0.hasPrefix(name) }
        let words = line?.dropFirst(name.utf8.count).split(separator: " ") ?? []
        guard words.count >= 2, let soft = HostFiles.bound(words[0]), let hard = HostFiles.bound(words[1]) else {
            return nil
        }
        return (soft, hard)
    }

    private static func bound(_ word: Substring) -> Int? { word == "unlimited" ? .max : Int(word) }
}
