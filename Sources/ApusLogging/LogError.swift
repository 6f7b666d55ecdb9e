// Why logging could not be set up: what, where, what to do.

import Glibc

public enum LogError: Error, Equatable, CustomStringConvertible {
    /// Every mistake in the settings.
    case invalidSettings([String])
    case cannotOpen(path: String, errno: Int32)
    case noThread(Int32)

    public var description: String {
        switch self {
        case .invalidSettings(let problems): problems.joined(separator: "\n")
        case .cannotOpen(let path, let errno):
            "Cannot append to the log file \(path): \(errorText(errno))\(LogError.advice(for: errno))."
        case .noThread(let errno):
            "Cannot start the log's thread: \(errorText(errno)); raise the limits of the process."
        }
    }

    private static func advice(for errno: Int32) -> String {
        switch errno {
        case ENOENT, ENOTDIR: "; make its folder first"
        case EACCES, EPERM, EROFS: "; let the server's user write there, or name another file"
        case EISDIR: "; name a file, not a folder"
        case ENOSPC, EDQUOT: "; make room on its disk"
        default: ""
        }
    }
}

/// The system's words for an error.
func errorText(_ errno: Int32) -> String {
    var text = [CChar](repeating: 0, count: 256)
    guard strerror_r(errno, &text, text.count) == 0 else { return "error \(errno)" }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
