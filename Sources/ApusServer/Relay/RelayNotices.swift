// Notices between shards as control messages: 36 bytes of id, two words.

import ApusReactor
import ApusRelay
import ApusWire

extension ControlKey {
    fileprivate init(_ id: PeerID) {
        let words = id.words
        self.init((words.0, words.1, words.2, words.3), tail: words.4)
    }
}

extension PeerID {
    fileprivate init(_ key: ControlKey) { self.init(words: key.words, tail: key.tail) }
}

extension ControlMessage {
    init(_ notice: RelayNotice) {
        self = switch notice {
        case .claim(let id, let holder): ControlMessage(.relayClaim, id, holder)
        case .release(let id, let holder): ControlMessage(.relayRelease, id, holder)
        case .subscribe(let id, let subscriber): ControlMessage(.relaySubscribe, id, subscriber)
        case .unsubscribe(let id, let subscriber): ControlMessage(.relayUnsubscribe, id, subscriber)
        case .forget(let subscriber): ControlMessage(.relayForget, .zero, subscriber)
        case .placed(let id, let holder, let epoch): ControlMessage(.relayPlaced, id, holder, epoch)
        case .removed(let id, let epoch): ControlMessage(.relayRemoved, id, 0, epoch)
        case .news(let news): ControlMessage(.relayNews, news.id, news.subscriber, news.isOnline ? 1 : 0)
        }
    }

    private init(_ kind: MailKind, _ id: PeerID, _ first: UInt64, _ second: UInt64 = 0) {
        self.init(kind: kind.rawValue, first: first, second: second, key: ControlKey(id))
    }
}

extension RelayNotice {
    /// Nil: the message is about something else.
    init?(_ message: ControlMessage, _ kind: MailKind) {
        let id = PeerID(message.key)
        switch kind {
        case .connection: return nil
        case .relayClaim: self = .claim(id, holder: message.first)
        case .relayRelease: self = .release(id, holder: message.first)
        case .relaySubscribe: self = .subscribe(id, subscriber: message.first)
        case .relayUnsubscribe: self = .unsubscribe(id, subscriber: message.first)
        case .relayForget: self = .forget(subscriber: message.first)
        case .relayPlaced: self = .placed(id, holder: message.first, epoch: message.second)
        case .relayRemoved: self = .removed(id, epoch: message.second)
        case .relayNews:
            self = .news(PeerNews(subscriber: message.first, id: id, isOnline: message.second == 1))
        }
    }
}
