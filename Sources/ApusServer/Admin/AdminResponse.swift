// What the admin endpoint answers, with the fields that keep browsers from making more of it than it is.

import ApusReactor
import ApusWire

package struct AdminResponse: Sendable {
    /// More than this is not sent: no metric or page of ours comes near it.
    static let bodyByteCountMax = 4 << 20

    package var status: HTTPStatus
    package var contentType: String
    package var body: [UInt8]
    /// The methods that the path allows, for 405.
    package var allow: String?
    /// What the page may load and run; nothing else may do either.
    package var contentPolicy = "default-src 'none'; frame-ancestors 'none'"

    package init(_ status: HTTPStatus, _ contentType: String, _ text: String) {
        self.status = status
        self.contentType = contentType
        body = Array(text.utf8)
    }

    /// One or more lines for people.
    package static func text(_ status: HTTPStatus, _ text: String) -> AdminResponse {
        AdminResponse(status, "text/plain; charset=utf-8", text.hasSuffix("\n") ? text : text + "\n")
    }

    package static func json(_ status: HTTPStatus, _ text: String) -> AdminResponse {
        AdminResponse(status, "application/json", text + "\n")
    }

    private var fields: [HTTPField] {
        var fields = [
            HTTPField("Content-Type", contentType),
            HTTPField("Cache-Control", "no-store"),
            HTTPField("X-Content-Type-Options", "nosniff"),
            HTTPField("Content-Security-Policy", contentPolicy),
            HTTPField("Referrer-Policy", "no-referrer"),
            HTTPField("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        if let allow { fields.append(HTTPField("Allow", allow)) }
        return fields
    }

    func encode(to request: AdminRequest) -> [UInt8] {
        encode(
            keepsAlive: request.keepsAlive, minorVersion: request.minorVersion, sendsBody: request.method != .head)
    }

    private func encode(keepsAlive: Bool, minorVersion: UInt8, sendsBody: Bool) -> [UInt8] {
        guard body.count <= AdminResponse.bodyByteCountMax else {
            return AdminResponse.text(.serverError, "the answer is too long: \(body.count) bytes")
                .encode(keepsAlive: keepsAlive, minorVersion: minorVersion, sendsBody: sendsBody)
        }
        return HTTPResponse(status, fields: fields, body: body).encode(
            unixSeconds: WallClock.milliseconds() / 1000, keepsAlive: keepsAlive, minorVersion: minorVersion,
            sendsBody: sendsBody)
    }

    /// Says what is wrong with a request that cannot be read; the connection ends behind it.
    static func encodeRefusal(_ violation: HTTPViolation) -> [UInt8] {
        text(violation.status, "\(violation)").encode(keepsAlive: false, minorVersion: 1, sendsBody: true)
    }

    static func encodeTimeout() -> [UInt8] {
        text(.requestTimeout, "the request was not whole in time")
            .encode(keepsAlive: false, minorVersion: 1, sendsBody: true)
    }
}
