// What the loop's protected connections share: TLS contexts, and the sessions that the next connection can go on from.

import ApusCompression
import ApusReactor
import ApusSecurity
import ApusWire

struct ChannelCache {
    /// TLS contexts are costly to make, so those of the last few clients are kept.
    private static let contextCountMax = 32
    private static let resumptionCountMax = 256

    private struct Place: Hashable {
        let material: ObjectIdentifier
        let address: String
    }

    /// The channels keep the material, so that its identity names nothing else meanwhile.
    private var contexts: [ObjectIdentifier: ClientChannels] = [:]
    private var resumptions: [Place: TLSResumption] = [:]

    mutating func open(_ security: ClientSecurity, _ opening: Opening) throws(ClientError) -> ClientChannel {
        do throws(TLSConfigurationError) {
            switch security {
            case .handshake(var settings):
                settings.compression = opening.compression.algorithms.map(\.rawValue)
                let packing = settings.compression.isEmpty ? nil : PayloadPacking.with(
                    opening.compression, byteCountMax: opening.payloadByteCountMax)
                let channels = try ClientChannels(.handshake(settings), packing: packing)
                return try channels.open(wallMilliseconds: WallClock.milliseconds())
            case .tls(let material):
                return try channels(for: material).open(
                    wallMilliseconds: WallClock.milliseconds(), serverName: serverName(for: opening, material),
                    resuming: resumptions.removeValue(forKey: place(material, opening)))
            }
        } catch {
            throw .insecure(reason: error.description, address: opening.address)
        }
    }

    /// A connection ends: what its server gave it serves the next one.
    mutating func keep(_ connection: ClientConnection) {
        guard case .tls(let material) = connection.opening.security, let resumption = connection.channel?.resumption()
        else { return }
        if resumptions.count >= ChannelCache.resumptionCountMax { resumptions.removeAll() }
        resumptions[place(material, connection.opening)] = resumption
    }

    private mutating func channels(for material: TLSMaterial) throws(TLSConfigurationError) -> ClientChannels {
        if let kept = contexts[ObjectIdentifier(material)] { return kept }
        if contexts.count >= ChannelCache.contextCountMax {
            contexts.removeAll()
            resumptions.removeAll()
        }
        let made = try ClientChannels(.tls(material))
        contexts[ObjectIdentifier(material)] = made
        return made
    }

    private func place(_ material: TLSMaterial, _ opening: Opening) -> Place {
        Place(material: ObjectIdentifier(material), address: opening.address)
    }

    /// What was asked for, without its port; nil: what the material says, or nothing for a UNIX path.
    private func serverName(for opening: Opening, _ material: TLSMaterial) -> String? {
        if material.settings.serverName != nil || opening.address.hasPrefix("unix:") { return nil }
        guard let colon = opening.address.lastIndex(of: ":") else { return opening.address }
        let host = opening.address[..<colon]
        return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
    }
}

extension PayloadPacking {
    /// By what the client was told.
    /// - Parameter byteCountMax: the longest payload that the server may have packed.
    static func with(_ settings: CompressionSettings, byteCountMax: Int) -> PayloadPacking {
        PayloadPacking(
            pack: { payload, code in
                guard payload.byteCount >= settings.thresholdByteCount,
                    let algorithm = CompressionAlgorithm(rawValue: code),
                    Compression.isWorthTrying(payload, with: algorithm)
                else { return nil }
                return shorter(payload, algorithm, settings)
            },
            unpack: { packed, code in
                guard let algorithm = CompressionAlgorithm(rawValue: code) else { return nil }
                do throws(CompressionError) {
                    return try Compression.decompress(
                        packed, with: algorithm, byteCountMax: byteCountMax, ratioMax: settings.ratioMax)
                } catch {
                    return nil
                }
            })
    }

    private static func shorter(
        _ payload: RawSpan, _ algorithm: CompressionAlgorithm, _ settings: CompressionSettings
    ) -> [UInt8]? {
        do throws(CompressionError) {
            let level = min(settings.level, algorithm.levels.upperBound)
            let packed = try Compression.compress(payload, with: algorithm, level: level)
            // The peer would refuse what grows too much.
            let isSound = packed.count < payload.byteCount && packed.count * settings.ratioMax >= payload.byteCount
            return isSound ? packed : nil
        } catch {
            return nil
        }
    }
}
