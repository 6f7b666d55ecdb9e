// The two files of a certificate, or of an identity. A private key is never readable by others, not for a moment, and
// no file is replaced unless that was asked for.

import ApusSecurity
import Glibc

struct CertificateFiles {
    static let authorityName = "ca"

    let certificate: String
    let key: String

    init(certificate: String, key: String) {
        (self.certificate, self.key) = (certificate, key)
    }

    /// `FOLDER/NAME.pem` and `FOLDER/NAME.key`; a shell would expand a `*`.
    init(name: String, in folder: String) {
        let file = name.hasPrefix("*") ? "_wildcard\(name.dropFirst())" : name
        let path = folder == "." ? file : "\(folder)\(folder.hasSuffix("/") ? "" : "/")\(file)"
        self.init(certificate: "\(path).pem", key: "\(path).key")
    }

    /// What keeps a certificate's name from being a file's, as a sentence.
    static func fault(inName name: String) -> String? {
        if name.isEmpty { return "NAME is empty: say what the node is called." }
        if name.contains("/") { return "NAME names files, so \"\(name)\" may not contain a slash: see --out." }
        if name.hasPrefix(".") || name.hasPrefix("-") { return "\"\(name)\": NAME begins with neither . nor -." }
        // The longest name of a file, less what is put behind it.
        if name.utf8.count > 255 - ".pem.new-2147483647".utf8.count { return "NAME is too long to name files." }
        return nil
    }

    /// Refuse to write where an authority's files are: with --force, its key would be gone.
    func keepOff(_ authority: CertificateFiles) throws {
        for (ours, theirs) in [(certificate, authority.certificate), (key, authority.key)] {
            guard let ourIdentity = CertificateFiles.identity(ours) else { continue }
            guard ourIdentity == CertificateFiles.identity(theirs) else { continue }
            throw Failure(.usage, "apus: \(ours) is the authority's own file: choose another NAME, or another --out")
        }
    }

    private struct Identity: Equatable {
        let device: dev_t
        let file: ino_t
    }

    /// Nil when there is no such file.
    private static func identity(_ path: String) -> Identity? {
        var status = stat()
        return stat(path, &status) == 0 ? Identity(device: status.st_dev, file: status.st_ino) : nil
    }

    func write(_ certificate: Certificate, _ privateKey: CertificateKey, replacing: Bool) throws {
        let text = try certificate.pem()
        try privateKey.withPEM { secret in
            try CertificateFiles.writePair(
                secret: secret, to: key, shown: text.span.bytes, to: self.certificate, replacing: replacing)
        }
    }

    /// Write a secret, readable by its owner alone, and what may be shown of it. The secret comes first: without it the
    /// other is worth nothing.
    static func writePair(
        secret: RawSpan, to key: String, shown: RawSpan, to other: String, replacing: Bool
    ) throws {
        if !replacing, let taken = [key, other].first(where: exists) { throw CertificateFiles.taken(taken) }
        try makeFolder(of: key)
        try write(secret, to: key, mode: 0o600, replacing: replacing)
        do {
            try write(shown, to: other, mode: 0o644, replacing: replacing)
        } catch {
            // A secret alone would only be in the way of the next attempt.
            if !replacing { unlink(key) }
            throw error
        }
    }

    private static func makeFolder(of path: String) throws {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        let folder = String(path[..<slash])
        guard mkdir(folder, 0o755) != 0, errno != EEXIST else { return }
        throw Failure(.runtimeFailure, "apus: cannot make the folder \(folder): \(String(cString: strerror(errno)))")
    }
}

// MARK: One file

extension CertificateFiles {
    /// Whatever it is, also a link to nowhere.
    private static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    private static func taken(_ path: String) -> Failure {
        Failure(.runtimeFailure, "apus: \(path) is there already: choose another --out, or replace it with --force")
    }

    /// A file is replaced by renaming a new one, so that a reader finds the old or the new one, whole.
    private static func write(_ bytes: RawSpan, to path: String, mode: mode_t, replacing: Bool) throws {
        let new = replacing ? "\(path).new-\(getpid())" : path
        try create(new, bytes, mode: mode)
        guard replacing, rename(new, path) != 0 else { return }
        let reason = errno
        unlink(new)
        throw failure("replace", path, reason)
    }

    private static func create(_ path: String, _ bytes: RawSpan, mode: mode_t) throws {
        // Nobody else may have made it, and no link leads elsewhere.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw errno == EEXIST ? taken(path) : failure("create", path, errno) }
        // The mode as it is meant: the umask may have taken from it.
        let isWritten = fchmod(descriptor, mode) == 0 && write(bytes, to: descriptor) && fsync(descriptor) == 0
        let reason = errno
        close(descriptor)
        guard !isWritten else { return }
        unlink(path)
        throw failure("write", path, reason)
    }

    private static func write(_ bytes: RawSpan, to descriptor: Int32) -> Bool {
        // The buffer is read inside the closure only.
        bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let count = Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
                guard count >= 0 || errno == EINTR else { return false }
                written += max(count, 0)
            }
            return true
        }
    }

    private static func failure(_ verb: String, _ path: String, _ reason: Int32) -> Failure {
        Failure(.runtimeFailure, "apus: cannot \(verb) \(path): \(String(cString: strerror(reason)))")
    }
}
