// `apus top` where there is nothing to see; Tests/Top/run drives it in a terminal.

import Testing

@Suite struct TopTests {
    @Test func nobodyThereIsARuntimeFailure() async throws {
        let finished = try await Command.run("top", "--once", "--address", "unix:/nonexistent/control.sock")
        #expect((finished.status, finished.text) == (1, ""))
        #expect(finished.complaint.contains("unix:/nonexistent/control.sock: No such file or directory"))
    }

    @Test(arguments: [
        (["--json"], 2, "--once"), (["--interval", "1ms"], 2, "100ms"), ([], 2, "apus top --once"),
        (["--once", "--address", "nowhere"], 3, "HOST:PORT"), (["--once", "--address", "unix:"], 3, "1 to 107 bytes"),
        (["--once", "--address", "127.0.0.1:99999"], 3, "HOST:PORT"),
    ])
    func whatItCannotDoIsSaid(arguments: [String], status: Int32, problem: String) async throws {
        let finished = try await Command.run(["top"] + arguments)
        #expect((finished.status, finished.text) == (status, ""))
        #expect(finished.complaint.contains(problem), "\(finished.complaint)")
    }
}
