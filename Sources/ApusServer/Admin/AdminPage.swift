// The page at `/`: one answer, made once, that loads nothing from anywhere. What it shows it asks `/status` for, once a
// second. Markup, style and script are in `AdminPageMarkup`, `AdminPageStyle` and `AdminPageScript`.

import ApusSecurity

enum AdminPage {
    static let response: AdminResponse = {
        var response = AdminResponse(.ok, "text/html; charset=utf-8", document)
        response.contentPolicy = contentPolicy
        return response
    }()

    private static let document = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>apus</title>
        <link rel="icon" href="data:,">
        <style>\(style)</style>
        </head>
        <body>
        \(markup)
        <script>\(script)</script>
        </body>
        </html>

        """

    /// Exactly this style and this script, and questions to this server; nothing else is loaded or run.
    private static let contentPolicy =
        "default-src 'none'; style-src '\(digest(style))'; script-src '\(digest(script))'; connect-src 'self'; "
        + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static func digest(_ text: String) -> String {
        let bytes = Array(text.utf8)
        return "sha256-" + Base64.text(of: SHA256.hash(bytes.span.bytes))
    }
}

/// RFC 4648 §4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func text(of bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                text.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
