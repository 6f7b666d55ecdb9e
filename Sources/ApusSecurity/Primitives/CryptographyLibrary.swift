// Which OpenSSL this process runs with, which may be another than it was built with.

import COpenSSL

public enum CryptographyLibrary {
    /// As it calls itself: `OpenSSL 3.0.17 1 Jul 2025`.
    /// OpenSSL returns a constant of its own that ends with a zero byte.
    public static var version: String { unsafe String(cString: OpenSSL_version(OPENSSL_VERSION)) }
}
