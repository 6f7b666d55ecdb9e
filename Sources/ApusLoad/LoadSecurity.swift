// How the generator's connections are protected.

import ApusSecurity

extension ClientChannels {
    /// Nil: not at all.
    static func forLoad(_ security: ClientSecurity?) throws(LoadError) -> ClientChannels? {
        guard let security else { return nil }
        do throws(TLSConfigurationError) {
            return try ClientChannels(security)
        } catch {
            throw .insecure(error.description)
        }
    }
}
