// Who answers the admin endpoint, off the loops: it reads what they count and never waits for one. It knows requests
// and answers; sockets and bytes are the session's.

import ApusReactor
import ApusWire
import Synchronization

/// The paths there are.
private enum AdminResource: String, CaseIterable {
    case page = "/"
    case health = "/health"
    case live = "/livez"
    case ready = "/readyz"
    case metrics = "/metrics"
    case status = "/status"
    case reload = "/reload"
    case drain = "/drain"
    case logLevel = "/log-level"

    /// It changes the server.
    var isCommand: Bool {
        switch self {
        case .page, .health, .live, .ready, .metrics, .status: false
        case .reload, .drain, .logLevel: true
        }
    }

    func isWithin(_ scope: AdminScope) -> Bool {
        switch self {
        case .page, .status, .reload, .drain, .logLevel: scope == .all
        case .metrics: scope != .health
        case .health, .live, .ready: scope != .metrics
        }
    }

    var allowed: String { isCommand ? "POST" : "GET, HEAD" }

    func allows(_ method: HTTPMethod) -> Bool {
        switch method {
        case .get, .head: !isCommand
        case .post: isCommand
        case .options, .other: false
        }
    }
}

package final class AdminDesk: Sendable {
    /// A shard that has not answered a survey by then stands still.
    private static let surveyPatience = Duration.seconds(1)

    private let shared: SharedState
    private let settings: AdminSettings
    private let inboxes: [Inbox<ShardEvent>]
    private let hosts: AdminHosts
    /// Held while a command is carried out.
    private let controlling = Mutex<Void>(())

    package init(_ shared: SharedState, _ settings: AdminSettings, _ inboxes: [Inbox<ShardEvent>]) {
        self.shared = shared
        self.settings = settings
        self.inboxes = inboxes
        hosts = AdminHosts(settings.allowedHosts)
    }

    /// The whole response, as it is sent.
    func answer(_ request: AdminRequest) async -> [UInt8] { await respond(to: request).encode(to: request) }

    package func respond(to request: AdminRequest) async -> AdminResponse {
        let record = shared.vitals.directory.record(at: request.listener)
        if !request.isLocal, record?.isLoopback ?? true, !hosts.allows(request.host) {
            return .text(.misdirectedRequest, "\(request.host ?? ""): no name of this server (admin allowed hosts)")
        }
        let there = AdminResource.allCases.filter { $0.isWithin(record?.adminPaths ?? .all) }
        guard let resource = AdminResource(rawValue: request.path), there.contains(resource) else {
            return .text(.notFound, "there is: " + there.map(\.rawValue).joined(separator: " "))
        }
        guard resource.allows(request.method) else {
            var response = AdminResponse.text(.methodNotAllowed, "\(resource.rawValue) takes \(resource.allowed)")
            response.allow = resource.allowed
            return response
        }
        if resource.isCommand, !request.isLocal {
            return .text(.forbidden, "commands are taken over the control socket (an admin listener at unix:…) only")
        }
        return await respond(to: request, for: resource)
    }

    private func respond(to request: AdminRequest, for resource: AdminResource) async -> AdminResponse {
        switch resource {
        case .page: AdminPage.response
        case .health: AdminHealth(shared, stallLimit: settings.stallLimit).response
        case .live: health(\.stalls, "live")
        case .ready: health(\.reasons, "ready")
        case .metrics: metrics()
        case .status: await status(request)
        case .reload: await carryOut(.reload)
        case .drain: await drain(request)
        case .logLevel: await setLogLevel(request)
        }
    }
}

// MARK: Questions

extension AdminDesk {
    private func health(_ reasons: KeyPath<ServerHealth, [String]>, _ word: String) -> AdminResponse {
        let reasons = shared.health(stallLimit: settings.stallLimit)[keyPath: reasons]
        if reasons.isEmpty { return .text(.ok, word) }
        return .text(.serviceUnavailable, reasons.joined(separator: "\n"))
    }

    private func metrics() -> AdminResponse {
        let families = ServerReport(shared, settings).families + (settings.moreFamilies?() ?? [])
        return AdminResponse(.ok, PrometheusText.contentType, PrometheusText.encode(families))
    }

    private func status(_ request: AdminRequest) async -> AdminResponse {
        if let asked = request.parameter("peers") { return await peers(asked) }
        guard let asked = request.parameter("connections") else {
            return .json(.ok, ServerReport(shared, settings).statusJSON())
        }
        guard let countMax = Int(asked), 1...ConnectionSurvey.countLimit ~= countMax else {
            return .text(.badRequest, "connections: 1 to \(ConnectionSurvey.countLimit)")
        }
        let top = await survey(.busiest, countMax: countMax)
        return .json(.ok, ServerReport(shared, settings).statusJSON(top: top))
    }

    private func peers(_ asked: String) async -> AdminResponse {
        guard let countMax = Int(asked), 1...ConnectionSurvey.peerCountLimit ~= countMax else {
            return .text(.badRequest, "peers: 1 to \(ConnectionSurvey.peerCountLimit)")
        }
        let peers = await survey(.relayPeers, countMax: countMax).relayPeers
        return .json(.ok, ServerReport(shared, settings).statusJSON(peers: peers))
    }

    private func survey(_ question: ConnectionSurvey.Question, countMax: Int) async -> SurveyResult {
        let survey = ConnectionSurvey(question, countMax: countMax, shardCount: inboxes.count)
        for inbox in inboxes where !inbox.post(.survey(survey, from: 0)) { survey.shardDone() }
        let patience = Task {
            do { try await Task.sleep(for: AdminDesk.surveyPatience) } catch { return }
            survey.expire()
        }
        defer { patience.cancel() }
        return await survey.result()
    }
}

// MARK: Commands

extension AdminDesk {
    private func drain(_ request: AdminRequest) async -> AdminResponse {
        guard let text = request.parameter("timeout") else { return await carryOut(.drain(timeout: nil)) }
        guard let seconds = Int(text), 0...86_400 ~= seconds else {
            return .text(.badRequest, "timeout: 0 to 86400 seconds")
        }
        return await carryOut(.drain(timeout: .seconds(seconds)))
    }

    private func setLogLevel(_ request: AdminRequest) async -> AdminResponse {
        guard let level = request.parameter("level"), !level.isEmpty else {
            return .text(.badRequest, "say which: /log-level?level=…")
        }
        return await carryOut(.logLevel(level))
    }

    private func carryOut(_ command: ControlCommand) async -> AdminResponse {
        guard let control = settings.control else {
            return .text(.notImplemented, "this server was started without anybody to carry out commands")
        }
        let answer = await carryOut(command, with: control)
        let status: HTTPStatus =
            switch answer.outcome {
            case .done: .ok
            case .refused: .unprocessableContent
            case .failed: .serverError
            }
        return answer.text.hasPrefix("{") ? .json(status, answer.text) : .text(status, answer.text)
    }

    /// On a thread of its own: a reload reads files, and the tasks' threads are few.
    private func carryOut(
        _ command: ControlCommand, with control: @escaping @Sendable (ControlCommand) -> ControlAnswer
    ) async -> ControlAnswer {
        await withCheckedContinuation { continuation in
            do throws(SystemError) {
                _ = try LoopThread.start(name: "apus-control") {
                    continuation.resume(returning: self.controlling.withLock { _ in control(command) })
                }
            } catch {
                continuation.resume(returning: ControlAnswer(.failed, error.description))
            }
        }
    }
}
