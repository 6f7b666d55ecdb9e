// The loopback addresses this host has: a container often has no IPv6, and a test that needs it is then left out aloud.

import ApusReactor

/// `HOST:0` for each kind of loopback; what is missing is said once.
package let loopbackAddresses: [String] = {
    if hasIPv6Loopback { return ["127.0.0.1:0", "[::1]:0"] }
    print("left out: tests over IPv6, since this host has no [::1]")
    return ["127.0.0.1:0"]
}()

package let hasIPv6Loopback: Bool = {
    do {
        try Listeners.open(at: SocketAddress(parsing: "[::1]:0"), count: 1).close()
        return true
    } catch {
        return false  // Why not makes no difference: there is no address to test with.
    }
}()
