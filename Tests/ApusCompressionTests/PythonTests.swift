// Another implementation of the formats in both directions: Python's lz4 and zstandard modules, where they are
// installed (Debian python3-lz4 and python3-zstandard). Files carry the bytes.

import ApusCompression
import Foundation
import TestSupport
import Testing

struct PythonTests {
    @Test(arguments: CompressionAlgorithm.allCases)
    func pythonReadsWhatWeWrite(algorithm: CompressionAlgorithm) throws {
        guard let python = Python(for: algorithm) else { return }
        for plain in PythonTests.samples {
            let compressed = try compress(plain, algorithm)
            #expect(try python.run("sys.stdout.buffer.write(decompress(given))", compressed) == plain)
        }
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func weReadWhatPythonWrites(algorithm: CompressionAlgorithm) throws {
        guard let python = Python(for: algorithm) else { return }
        for plain in PythonTests.samples {
            let compressed = try python.run("sys.stdout.buffer.write(compress(given))", plain)
            #expect(try decompress(compressed, algorithm) == plain)
        }
    }

    /// Written in pieces, as a streaming encoder does: no size in the header, a checksum at the end.
    @Test func weReadWhatPythonStreams() throws {
        guard let python = Python(for: .zstd) else { return }
        for plain in PythonTests.samples {
            let compressed = try python.run("sys.stdout.buffer.write(stream(given))", plain)
            #expect(try decompress(compressed, .zstd) == plain)
        }
    }

    private static let samples = [
        [], [7], Samples.json(byteCount: 100_000), Samples.random(byteCount: 5000), Samples.counting(byteCount: 70_000),
    ]
}

/// The interpreter with one of the modules, given bytes and giving bytes.
private struct Python {
    private static let path = "/usr/bin/python3"

    private let preamble: String

    /// Nil, with the reason printed, when the module is not there.
    init?(for algorithm: CompressionAlgorithm) {
        preamble = switch algorithm {
        case .lz4:
            """
            import sys, lz4.block
            compress, decompress = lz4.block.compress, lz4.block.decompress
            """
        case .zstd:
            """
            import sys, zstandard
            compress = zstandard.ZstdCompressor(level=3).compress
            decompress = lambda given: zstandard.ZstdDecompressor().decompressobj().decompress(given)
            def stream(given):
                pieces = zstandard.ZstdCompressor(level=1, write_checksum=True).compressobj()
                return b"".join(pieces.compress(given[i:i + 1000]) for i in range(0, len(given), 1000)) + pieces.flush()
            """
        }
        do {
            guard try run("", []) == [] else { return nil }
        } catch {
            print("left out: \(algorithm) against Python, since \(Python.path) lacks its module: \(error)")
            return nil
        }
    }

    struct Failed: Error {
        let complaint: String
    }

    func run(_ program: String, _ input: [UInt8]) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let (given, printed) = (folder.file("given"), folder.file("printed"))
        try Data(input).write(to: URL(fileURLWithPath: given))
        try Data().write(to: URL(fileURLWithPath: printed))
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: printed))
        let (process, complaint) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: Python.path)
        process.arguments = ["-c", "\(preamble)\ngiven = open(sys.argv[1], 'rb').read()\n\(program)", given]
        process.standardOutput = output
        process.standardError = complaint
        try process.run()
        let said = try complaint.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failed(complaint: String(decoding: said.suffix(200), as: UTF8.self))
        }
        return Array(try Data(contentsOf: URL(fileURLWithPath: printed)))
    }
}
