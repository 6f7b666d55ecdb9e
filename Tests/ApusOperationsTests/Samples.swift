// Two statuses of one server, two seconds apart.

@testable import ApusOperations

enum Samples {
    static func first(pid: Int = 4711, at time: Double = 10) throws -> StatusSample {
        let counters = Counters(messages: 10_000, handshakes: 100, closes: 20, drops: 0, busy: 30, turns: 1000)
        return try counters.sample(pid: pid, at: time)
    }

    /// What the second was read from.
    static var text: String {
        Counters(messages: 11_000, handshakes: 108, closes: 30, drops: 7, busy: 31, turns: 1200).text(pid: 4711)
    }

    static func second(at time: Double = 12) throws -> StatusSample {
        try StatusSample(json: Array(text.utf8), takenAtSeconds: time)
    }
}

/// What moved in between, and the text around it.
private struct Counters {
    let messages, handshakes, closes, drops, busy, turns: Int

    func sample(pid: Int, at time: Double) throws -> StatusSample {
        try StatusSample(json: Array(text(pid: pid).utf8), takenAtSeconds: time)
    }

    func text(pid: Int) -> String {
        """
        {"version":"0.1.0","pid":\(pid),"started_unix_seconds":1782864000,"uptime_seconds":353469.5,
         "state":"serving","live":true,"ready":true,"reasons":[],"connections":{"open":9120,"max":10000},
         "listeners":[\(listeners)],"loops":[\(loops)],"totals":{\(totals)},
         "closes":{"peer_closed":\(closes),"idle_timeout":3,"malformed":0},"refusals":{},
         "drops":{"queue_full":\(drops)},"handshake_refusals":{"stale":1},"tls_failures":{},
         "reloads":{"applied":1,"refused":0},"service_seconds":{\(service)},"top":{\(peers)}}
        """
    }

    private var accepted: Int { handshakes + handshakes / 4 }

    private var listeners: String {
        """
        {"name":"edge","address":"127.0.0.1:9000","protocol":"packet","transport":"tcp","security":"handshake",
         "open":9100,"accepted":\(accepted),"messages":\(messages),
         "received_bytes":\(messages * 64),"sent_bytes":\(messages * 64)},
        {"name":"control","address":"unix:/run/apus/control.sock","protocol":"admin","transport":"unix",
         "security":"none","open":20,"accepted":21,"messages":0,"received_bytes":0,"sent_bytes":0}
        """
    }

    private var loops: String {
        """
        {"loop":0,"connections":4560,"turns":\(turns),"completions":\(turns * 4),"busy_seconds":\(busy),
         "last_turn_age_seconds":0.0002,"starved_receives":0,"free_buffers":250,"completion_queue_overflows":0},
        {"loop":1,"connections":4560,"turns":\(turns * 2),"completions":\(turns * 2),"busy_seconds":\(busy * 2),
         "last_turn_age_seconds":0.4,"starved_receives":\(drops / 2),"free_buffers":12,"completion_queue_overflows":0}
        """
    }

    private var totals: String {
        """
        "accepted":\(accepted),"messages":\(messages),"received_bytes":\(messages * 64),"sent_bytes":\(messages * 64),
        "handshakes":\(handshakes),"handshakes_resumed":\(handshakes / 4)
        """
    }

    private var service: String {
        """
        "count":\(messages),"sum":1.5,"buckets":[{"le":0.0001,"count":\(messages / 2)},
         {"le":0.001,"count":\(messages - 10)},{"le":"+Inf","count":\(messages)}]
        """
    }

    private var peers: String {
        """
        "by_bytes":[
         {"listener":"edge","peer":"10.0.0.7:50123","age_seconds":3600,"received_bytes":\(messages),
          "sent_bytes":\(messages),"queued_bytes":0},
         {"listener":"edge","peer":"[fd00::1]:41000","age_seconds":12,"received_bytes":5000,"sent_bytes":5000,
          "queued_bytes":131072}],
        "by_queue":[
         {"listener":"edge","peer":"[fd00::2]:41000","age_seconds":12,"received_bytes":null,"sent_bytes":5000,
          "queued_bytes":131072}]
        """
    }
}
