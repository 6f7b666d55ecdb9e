// Responses, byte for byte, and the dates they carry.

import ApusWire
import Testing

struct HTTPResponseTests {
    static let response = HTTPResponse(.ok, fields: [HTTPField("Content-Type", "text/plain")], body: Array("hi\n".utf8))

    private func encode(keepsAlive: Bool = true, minorVersion: UInt8 = 1, sendsBody: Bool = true) -> String {
        let bytes = Self.response.encode(
            unixSeconds: 784_111_777, keepsAlive: keepsAlive, minorVersion: minorVersion, sendsBody: sendsBody)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func isWrittenByteForByte() {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
            + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        #expect(encode() == head + "\r\nhi\n")
        #expect(encode(keepsAlive: false) == head + "Connection: close\r\n\r\nhi\n")
        #expect(encode(minorVersion: 0) == head + "Connection: keep-alive\r\n\r\nhi\n")
        #expect(encode(keepsAlive: false, minorVersion: 0) == head + "Connection: close\r\n\r\nhi\n")
        #expect(encode(sendsBody: false) == head + "\r\n")
    }

    @Test func anUpgradeIsNamedAmongTheConnectionsOptions() {
        let offer = HTTPResponse(.upgradeRequired, upgrade: "websocket")
        func tail(keepsAlive: Bool, minorVersion: UInt8) -> String {
            let bytes = offer.encode(unixSeconds: 0, keepsAlive: keepsAlive, minorVersion: minorVersion)
            return String(decoding: bytes, as: UTF8.self).split(separator: "GMT\r\n").last.map { "\($0)" } ?? ""
        }
        #expect(tail(keepsAlive: true, minorVersion: 1) == "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        #expect(
            tail(keepsAlive: false, minorVersion: 1) == "Upgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n")
        #expect(
            tail(keepsAlive: true, minorVersion: 0)
                == "Upgrade: websocket\r\nConnection: Upgrade, keep-alive\r\n\r\n")
    }

    @Test func everyStatusHasAPhrase() {
        for status in HTTPStatus.allCases {
            let bytes = HTTPResponse(status).encode(unixSeconds: 0, keepsAlive: true)
            let line = "HTTP/1.1 \(status.rawValue) \(status.phrase)\r\n"
            #expect(String(decoding: bytes, as: UTF8.self).hasPrefix(line))
        }
    }

    @Test func datesAreThoseOfTheCalendar() {
        #expect(HTTPDate.text(unixSeconds: 0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(HTTPDate.text(unixSeconds: 951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(HTTPDate.text(unixSeconds: 951_868_799) == "Tue, 29 Feb 2000 23:59:59 GMT")
        #expect(HTTPDate.text(unixSeconds: 951_868_800) == "Wed, 01 Mar 2000 00:00:00 GMT")
        #expect(HTTPDate.text(unixSeconds: 4_102_444_799) == "Thu, 31 Dec 2099 23:59:59 GMT")
        #expect(HTTPDate.text(unixSeconds: 4_107_542_400) == "Mon, 01 Mar 2100 00:00:00 GMT")
    }

    /// RFC 3339 §5.6.
    @Test func datesOfTheInternet() {
        #expect(HTTPDate.internetText(unixMilliseconds: 0) == "1970-01-01T00:00:00.000Z")
        #expect(HTTPDate.internetText(unixMilliseconds: 951_782_400_007) == "2000-02-29T00:00:00.007Z")
        #expect(HTTPDate.internetText(unixMilliseconds: 4_102_444_799_999) == "2099-12-31T23:59:59.999Z")
        #expect(HTTPDate.internetText(unixMilliseconds: 253_402_300_799_999) == "9999-12-31T23:59:59.999Z")
        #expect(HTTPDate.internetText(unixMilliseconds: .max).hasPrefix("9999-12-31T"))
    }

    @Test func aLineBreakInAFieldStopsTheProgram() async {
        await #expect(processExitsWith: .failure) {
            _ = HTTPResponse(.ok, fields: [HTTPField("A", "b\r\nC: d")]).encode(unixSeconds: 0, keepsAlive: true)
        }
        await #expect(processExitsWith: .failure) {
            _ = HTTPResponse(.ok, fields: [HTTPField("A b", "c")]).encode(unixSeconds: 0, keepsAlive: true)
        }
    }
}
