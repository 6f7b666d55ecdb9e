// The exit codes, and which error leaves with which. Scripts rely on the numbers.

import ApusClient
import ApusConfiguration
import ApusLoad
import ApusLogging
import ApusServer
import ArgumentParser
import Glibc

enum ExitStatus: Int32 {
    case runtimeFailure = 1
    case usage = 2
    case invalidConfiguration = 3
    case cannotBind = 4
    case hostNotFit = 5
    case drainedWithConnectionsLeft = 6

    /// Say on stderr what went wrong, or on stdout what was asked for (help, version), and leave.
    static func leave(because error: any Error) -> Never {
        if let failure = Failure(error) {
            Output.complain(failure.message)
            exit(failure.status.rawValue)
        }
        let message = Apus.fullMessage(for: error)
        guard Apus.exitCode(for: error) != .success else {
            Output.tell(message)
            exit(0)
        }
        Output.complain(message)
        exit(Apus.exitCode(for: error) == .validationFailure ? usage.rawValue : runtimeFailure.rawValue)
    }
}

/// An error with the code it leaves with.
struct Failure: Error {
    let status: ExitStatus
    /// What, where, what to do.
    let message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    /// Nil for what the argument parser has to say.
    init?(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as ConfigurationError: self.init(error.problems)
        case let error as ClientError: self.init(ExitStatus(error), "apus: \(error)")
        case let error as ServerError: self.init(ExitStatus(error), "apus: \(error)")
        case let error as LoadError: self.init(ExitStatus(error), "apus: \(error)")
        case let error as LogError: self.init(ExitStatus(error), "apus: \(error)")
        default: return nil
        }
    }
}

extension ExitStatus {
    fileprivate init(_ error: ClientError) {
        self = switch error {
        case .invalidAddress, .invalidConfiguration: .invalidConfiguration
        case .hostNotFit: .hostNotFit
        case .connectionRefused, .cannotConnect, .timeout, .closedByServer, .connectionLost, .unresponsive, .violation,
            .insecure, .tooLarge, .overloaded, .unreadMessages, .closed, .cancelled, .tooManyClients: .runtimeFailure
        }
    }

    fileprivate init(_ error: ServerError) {
        self = switch error {
        case .invalidConfiguration: .invalidConfiguration
        case .cannotBind: .cannotBind
        case .hostNotFit: .hostNotFit
        }
    }

    fileprivate init(_ error: LogError) {
        self = switch error {
        case .invalidSettings: .invalidConfiguration
        case .cannotOpen, .noThread: .runtimeFailure
        }
    }

    fileprivate init(_ error: LoadError) {
        self = switch error {
        case .configuration, .tooLarge: .invalidConfiguration
        case .ring: .hostNotFit
        case .socket, .system, .descriptors, .refused, .unconnected, .connectTimeout, .closed, .insecure, .noReply,
            .relay, .unplaced, .server:
            .runtimeFailure
        }
    }
}
