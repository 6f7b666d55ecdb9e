// A host held against what it is to carry. Every check is a value; the order is the one in which they matter.

package struct Examination {
    let host: ExaminedHost
    let plan: ServicePlan
    let surroundings: Surroundings

    package init(of host: ExaminedHost, for plan: ServicePlan) {
        self.host = host
        self.plan = plan
        surroundings = host.surroundings
    }

    var files: HostFiles { host.files }

    package func findings() -> [Finding] {
        ringFindings + processFindings + networkFindings + resourceFindings + [clock, cryptography]
            + certificateFindings + secretFindings
    }
}

extension [Finding] {
    /// - Parameter strictly: warnings count as well.
    package func areFit(strictly: Bool) -> Bool {
        allSatisfy { finding in
            switch finding.verdict {
            case .ok, .unknown: true
            case .warning: !strictly
            case .failure: false
            }
        }
    }

    package func count(of verdict: Verdict) -> Int { count { $0.verdict == verdict } }
}
