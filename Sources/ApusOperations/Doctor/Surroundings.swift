// Where the process runs, which decides where a limit is raised: on the machine, in a unit, in a container.

enum Surroundings: Equatable {
    case machine
    /// A systemd unit, by name.
    case unit(String)
    case docker
    case podman
    case kubernetes
    /// Any other container: its runtime's name.
    case container(String)

    init(_ files: HostFiles, environment: [String: String]) {
        if environment["KUBERNETES_SERVICE_HOST"] != nil || files.exists("/var/run/secrets/kubernetes.io") {
            self = .kubernetes
        } else if files.exists("/run/.containerenv") {
            self = .podman
        } else if files.exists("/.dockerenv") {
            self = .docker
        } else if let name = environment["container"], !name.isEmpty {
            self = .container(name)
        } else if let unit = ControlGroup(files).unit {
            self = .unit(unit)
        } else {
            self = .machine
        }
    }

    var description: String {
        switch self {
        case .machine: "this machine"
        case .unit(let name): "the unit \(name)"
        case .docker: "a Docker container"
        case .podman: "a Podman container"
        case .kubernetes: "a Kubernetes pod"
        case .container(let name): "a container (\(name))"
        }
    }
}

// MARK: Fixes that differ by place

extension Surroundings {
    /// Let `io_uring_*` through a seccomp filter.
    var seccompFixes: [Fix] {
        switch self {
        case .machine, .container:
            [.step("in the seccomp filter of what started this, allow \(Surroundings.ringCalls)")]
        case .unit(let name):
            unitLine("SystemCallFilter=\(Surroundings.ringCalls)", of: name)
        case .docker: [.command("docker run --security-opt seccomp=\(Surroundings.profile) ...")]
        case .podman: [.command("podman run --security-opt seccomp=\(Surroundings.profile) ...")]
        case .kubernetes:
            [
                .step("copy \(Surroundings.profile) to each node, as /var/lib/kubelet/seccomp/profiles/apus.json"),
                .line(
                    "seccompProfile: {type: Localhost, localhostProfile: profiles/apus.json}",
                    file: "the pod's securityContext"),
            ]
        }
    }

    /// Give the process `count` descriptors.
    func descriptorFixes(_ count: Int) -> [Fix] {
        switch self {
        case .machine: [.line("* - nofile \(count)", file: "/etc/security/limits.d/60-apus.conf"), .step("log in anew")]
        case .unit(let name): unitLine("LimitNOFILE=\(count)", of: name)
        case .docker: [.command("docker run --ulimit nofile=\(count):\(count) ...")]
        case .podman: [.command("podman run --ulimit nofile=\(count):\(count) ...")]
        case .kubernetes, .container:
            [.line("LimitNOFILE=\(count)", file: "the container runtime's unit on the node, under [Service]")]
        }
    }

    /// Let the process lock as much memory as it likes: rings are bounded by the number of shards.
    var lockedMemoryFixes: [Fix] {
        switch self {
        case .machine:
            [.line("* - memlock unlimited", file: "/etc/security/limits.d/60-apus.conf"), .step("log in anew")]
        case .unit(let name): unitLine("LimitMEMLOCK=infinity", of: name)
        case .docker: [.command("docker run --ulimit memlock=-1:-1 ...")]
        case .podman: [.command("podman run --ulimit memlock=-1:-1 ...")]
        case .kubernetes, .container:
            [.line("LimitMEMLOCK=infinity", file: "the container runtime's unit on the node, under [Service]")]
        }
    }

    /// Grant as much processor time as `shards` loops can use.
    func processorFixes(shards: Int) -> [Fix] {
        switch self {
        case .machine, .container: [.step("raise cpu.max of the control group")]
        case .unit(let name): unitLine("CPUQuota=\(shards * 100)%", of: name)
        case .docker: [.command("docker run --cpus \(shards) ...")]
        case .podman: [.command("podman run --cpus \(shards) ...")]
        case .kubernetes: [.line("limits: {cpu: \"\(shards)\"}", file: "the container's resources")]
        }
    }

    /// Grant `mebibytes` of memory.
    func memoryFixes(mebibytes: Int) -> [Fix] {
        switch self {
        case .machine, .container: [.step("raise memory.max of the control group to \(mebibytes) MiB")]
        case .unit(let name): unitLine("MemoryMax=\(mebibytes)M", of: name)
        case .docker: [.command("docker run --memory \(mebibytes)m ...")]
        case .podman: [.command("podman run --memory \(mebibytes)m ...")]
        case .kubernetes: [.line("limits: {memory: \(mebibytes)Mi}", file: "the container's resources")]
        }
    }

    /// A setting of the kernel, now and after the next boot. In a container only some can be set, and from outside.
    func settingFixes(_ name: String, _ value: String) -> [Fix] {
        // The connection table's size is the host's, whoever asks.
        let isOfNetwork = name.hasPrefix("net.") && !name.hasPrefix("net.netfilter.")
        switch self {
        case .machine, .unit:
            let assigned = value.contains(" ") ? "\(name)='\(value)'" : "\(name)=\(value)"
            return [.command("sysctl -w \(assigned)"), .line("\(name) = \(value)", file: Surroundings.settingsFile)]
        case .docker where isOfNetwork: return [.command("docker run --sysctl \(name)='\(value)' ...")]
        case .podman where isOfNetwork: return [.command("podman run --sysctl \(name)='\(value)' ...")]
        case .kubernetes where isOfNetwork:
            return [.line("sysctls: [{name: \(name), value: \"\(value)\"}]", file: "the pod's securityContext")]
        case .docker, .podman, .kubernetes, .container:
            return [.line("\(name) = \(value)", file: "\(Surroundings.settingsFile) of the container's host")]
        }
    }

    private func unitLine(_ line: String, of unit: String) -> [Fix] {
        [
            .line(line, file: "/etc/systemd/system/\(unit).d/limits.conf, under [Service]"),
            .command("systemctl daemon-reload && systemctl restart \(unit)"),
        ]
    }

    private static let ringCalls = "io_uring_setup io_uring_enter io_uring_register"
    /// Where this repository and its package keep the profile.
    private static let profile = "tools/deploy/container/seccomp.json"
    static let settingsFile = "/etc/sysctl.d/60-apus.conf"
}
