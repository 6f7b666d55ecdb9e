// OpenSSL's error queue: per thread, and to be left empty, since `SSL_get_error` reads stale entries as new ones.

import COpenSSL

enum OpenSSLErrors {
    /// Empties the queue and returns the code that tells most: the first of the TLS library, else the first at all.
    /// 0 when there was none.
    static func takeCause() -> UInt {
        var first: UInt = 0
        while case let code = ERR_get_error(), code != 0 {
            if ERR_GET_LIB(code) == ERR_LIB_SSL {
                ERR_clear_error()
                return code
            }
            if first == 0 { first = code }
        }
        return first
    }

    /// Empties the queue and returns its cause in OpenSSL's words.
    static func takeText() -> String { text(of: takeCause()) }

    static func text(of code: UInt) -> String {
        // The strings are OpenSSL's own constants.
        guard let reason = unsafe ERR_reason_error_string(code) else { return "no reason given (\(code))" }
        return unsafe String(cString: reason)
    }
}
