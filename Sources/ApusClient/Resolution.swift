// From an address as people write it to the ones the kernel knows. Looking a name up may take seconds, so it has a
// thread of its own each time.

import ApusReactor

enum Resolution {
    static func candidates(for text: String) async throws(ClientError) -> [SocketAddress] {
        do throws(AddressError) {
            return [try SocketAddress(parsing: text)]
        } catch .notNumeric {
            return try await lookUp(text)
        } catch {
            throw .invalidAddress(text, reason: error.description)
        }
    }

    private static func lookUp(_ text: String) async throws(ClientError) -> [SocketAddress] {
        let found = Waiter<[SocketAddress]>()
        do throws(SystemError) {
            _ = try LoopThread.start(name: "apus-resolver") { found.settle(resolve(text)) }
        } catch {
            throw .cannotConnect(address: text, reason: error.description)
        }
        return try await found.value()
    }

    private static func resolve(_ text: String) -> Result<[SocketAddress], ClientError> {
        do throws(AddressError) {
            return .success(try SocketAddress.resolve(text))
        } catch .unresolved(let host, let reason) {
            return .failure(.cannotConnect(address: text, reason: "\(host) could not be looked up: \(reason)."))
        } catch {
            return .failure(.invalidAddress(text, reason: error.description))
        }
    }
}
