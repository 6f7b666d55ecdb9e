import Testing

@testable import ApusLoad

@Suite struct ByteComparisonTests {
    @Test func `finds the first difference at every place of every length`() {
        for byteCount in 0...150 {
            let left = (0..<byteCount).map { UInt8($0) }
            #expect(agreement(left, left) == byteCount)
            for place in 0..<byteCount {
                var right = left
                right[place] ^= 0x80
                // What follows the first difference must not matter.
                if place + 1 < byteCount { right[byteCount - 1] ^= 1 }
                #expect(agreement(left, right) == place)
            }
        }
    }

    private func agreement(_ left: [UInt8], _ right: [UInt8]) -> Int {
        left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                guard let leftStart = left.baseAddress, let rightStart = right.baseAddress else { return 0 }
                return agreeingByteCount(leftStart, rightStart, byteCount: left.count)
            }
        }
    }
}
