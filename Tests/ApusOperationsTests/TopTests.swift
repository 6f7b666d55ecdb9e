// Figures out of samples, quantiles out of buckets, pictures out of figures.

import Foundation
import Testing

@testable import ApusOperations

@Suite struct LatencyBucketsTests {
    private func buckets(_ counts: [Double], bounds: [Double] = [0.001, 0.01, 0.1, .infinity]) -> LatencyBuckets {
        LatencyBuckets(boundsSeconds: bounds, cumulative: counts)
    }

    @Test func quantilesLieWithinTheirBucket() {
        // Fifty up to 1 ms, fifty from there to 10 ms.
        let even = buckets([50, 100, 100, 100])
        #expect(even.quantile(0.5) == 0.001)
        #expect(even.quantile(0.25) == 0.0005)
        #expect(abs((even.quantile(0.75) ?? 0) - 0.0055) < 1e-12)
        #expect(abs((even.quantile(1) ?? 0) - 0.01) < 1e-12)
    }

    @Test func nothingHasNoQuantile() {
        #expect(buckets([0, 0, 0, 0]).quantile(0.5) == nil)
        #expect(LatencyBuckets(.null).quantile(0.99) == nil)
    }

    @Test func beyondTheLastBoundThatBoundIsKnown() {
        #expect(buckets([0, 0, 1, 100]).quantile(0.99) == 0.1)
    }

    @Test func emptyBucketsArePassedOver() {
        #expect(abs((buckets([0, 0, 10, 10]).quantile(0.5) ?? 0) - 0.055) < 1e-12)
    }

    @Test func differencesAreOfTheInterval() {
        #expect(buckets([60, 100, 110, 110]).since(buckets([50, 90, 100, 100])) == buckets([10, 10, 10, 10]))
        // A restart, and other bounds: all there is.
        #expect(buckets([1, 2, 3, 3]).since(buckets([50, 90, 100, 100])) == buckets([1, 2, 3, 3]))
        #expect(buckets([4], bounds: [1]).since(buckets([1, 2, 3, 3])) == buckets([4], bounds: [1]))
    }

    @Test(arguments: [#""+Inf""#, "null", #""inf""#])
    func theLastBoundMayBeWrittenInManyWays(bound: String) throws {
        let json = #"{"count":3,"buckets":[{"le":\#(bound),"count":3},{"le":0.5,"count":2},{"le":"x"},7]}"#
        let value = try JSONDecoder().decode(StatusValue.self, from: Data(json.utf8))
        #expect(LatencyBuckets(value) == buckets([2, 3], bounds: [0.5, .infinity]))
    }

    @Test func theTotalStandsForWhatIsBeyond() throws {
        let json = #"{"count":5,"buckets":[{"le":0.5,"count":2}]}"#
        let value = try JSONDecoder().decode(StatusValue.self, from: Data(json.utf8))
        #expect(LatencyBuckets(value) == buckets([2, 5], bounds: [0.5, .infinity]))
        // The first that is beyond does not change the buckets there are.
        let before = try JSONDecoder().decode(StatusValue.self, from: Data(json.replacing("5,", with: "2,").utf8))
        #expect(LatencyBuckets(before).cumulative.count == 2)
    }
}

@Suite struct TopFiguresTests {
    @Test func ratesAreDifferencesOverTime() throws {
        let figures = TopFigures(earlier: try Samples.first(), later: try Samples.second())
        #expect(figures.intervalSeconds == 2)
        #expect(figures.messagesPerSecond == 500)
        #expect(figures.receivedBytesPerSecond == 32_000)
        #expect(figures.acceptsPerSecond == 5)
        #expect(figures.handshakesPerSecond == 4)
        #expect(figures.resumedShare == 0.25)
        #expect(figures.service.messages == 1000)
        #expect(figures.service.p50Seconds == 0.0001)
        #expect(figures.loops[0].busy == 0.5)
        #expect(figures.loops[0].turnsPerSecond == 100)
        #expect(figures.loops[0].completionsPerTurn == 4)
        #expect(figures.loops[1].starved == 3)
        #expect(figures.listeners[0].messagesPerSecond == 500)
        #expect(figures.peersByBytes[0].bytesPerSecond == 1000)
        #expect(figures.peersByQueue[0].bytesPerSecond == nil)
    }

    @Test func reasonsCarryTheirChange() throws {
        let figures = TopFigures(earlier: try Samples.first(), later: try Samples.second())
        let drop = figures.counts.first { $0.kind == "drop" }
        #expect(drop?.reason == "queue_full" && drop?.count == 7 && drop?.change == 7)
        let close = figures.counts.first { $0.reason == "peer_closed" }
        #expect(close?.change == 10)
        // What never happened is not listed.
        #expect(!figures.counts.contains { $0.count == 0 })
    }

    @Test func oneSampleHasNoRates() throws {
        let figures = TopFigures(earlier: nil, later: try Samples.second())
        #expect(figures.messagesPerSecond == nil)
        #expect(figures.loops[0].busy == nil)
        #expect(figures.open == 9120)
    }

    @Test func aRestartBeginsAnew() throws {
        let figures = TopFigures(earlier: try Samples.second(), later: try Samples.first(pid: 4712, at: 14))
        #expect(figures.intervalSeconds == nil)
        #expect(figures.messagesPerSecond == nil)
    }

    @Test func aCounterThatFellSaysNothing() throws {
        let figures = TopFigures(earlier: try Samples.second(at: 10), later: try Samples.first(at: 12))
        #expect(figures.messagesPerSecond == nil)
    }

    @Test func whatIsMissingOrOddIsPassedOver() throws {
        for json in ["{}", #"{"loops":7,"listeners":[{}],"totals":[],"top":null,"closes":{"a":"b"},"new":{"x":1}}"#] {
            let sample = try StatusSample(json: Array(json.utf8), takenAtSeconds: 0)
            let figures = TopFigures(earlier: sample, later: sample)
            #expect(TopFrame(figures, address: "x").lines(width: 80, height: 24).count >= 4)
        }
    }

    @Test(arguments: ["", "<html>", "[1]", "7", "{\"a\":"])
    func whatIsNoStatusIsRefused(body: String) {
        #expect(throws: StatusUnreadable.self) { try StatusSample(json: Array(body.utf8), takenAtSeconds: 0) }
    }

    @Test func figuresAreJSON() throws {
        let figures = TopFigures(earlier: try Samples.first(), later: try Samples.second())
        let json = try JSONSerialization.jsonObject(with: try JSONEncoder().encode(figures))
        let object = try #require(json as? [String: Any])
        #expect(object["kind"] as? String == "top")
        #expect(object["messages_per_second"] as? Double == 500)
        #expect((object["loops"] as? [[String: Any]])?.first?["busy"] as? Double == 0.5)
    }
}

@Suite struct TopFrameTests {
    private func frame(
        order: TopOrder = .bytes, isPaused: Bool = false, trouble: String? = nil, isLive: Bool = false
    ) throws -> TopFrame {
        let figures = TopFigures(earlier: try Samples.first(), later: try Samples.second())
        return TopFrame(
            figures, address: "127.0.0.1:9600", order: order, isPaused: isPaused, trouble: trouble, isLive: isLive)
    }

    @Test func aWideFrameShowsEverything() throws {
        let lines = try frame().lines(width: 100, height: 40)
        #expect(lines == GoldenFrames.wide)
    }

    @Test func aNarrowFrameDropsColumns() throws {
        let narrow = try frame(order: .queue, isPaused: true, isLive: true)
        #expect(narrow.lines(width: 48, height: 20) == GoldenFrames.narrow)
    }

    @Test func everySizeHolds() throws {
        let frame = try frame(trouble: "gone", isLive: true)
        for width in [0, 1, 2, 3, 10, 40, 80, 300] {
            for height in [0, 1, 2, 3, 5, 8, 13, 24, 60] {
                let lines = frame.lines(width: width, height: height)
                #expect(lines.count == height)
                #expect(lines.allSatisfy { $0.count <= width })
            }
        }
    }

    @Test func troubleIsShownAboveOldFigures() throws {
        let rows = try frame(trouble: "no status; trying again").rows(width: 80, height: 24)
        #expect(rows[1] == TopFrame.Row(text: "no status; trying again", role: .alarm))
        #expect(rows.contains { $0.role == .heading })
    }

    @Test func beforeTheFirstAnswerThereIsTheAddress() {
        let lines = TopFrame(nil, address: "unix:/run/a", trouble: "waiting").lines(width: 80, height: 24)
        #expect(lines == ["apus  unix:/run/a", "waiting"])
    }

    @Test func whatIsNotReadyIsSaid() throws {
        let json = #"{"version":"1.0.0","state":"draining","live":true,"ready":false,"reasons":["draining"]}"#
        let figures = TopFigures(earlier: nil, later: try StatusSample(json: Array(json.utf8), takenAtSeconds: 0))
        let rows = TopFrame(figures, address: "a:1").rows(width: 80, height: 24)
        #expect(rows[0].text == "apus 1.0.0  a:1  draining  NOT READY")
        #expect(rows[1] == TopFrame.Row(text: "draining", role: .alarm))
    }

    /// Whatever a server sends: the picture has its size, and nothing stops.
    @Test func wildNumbersFitToo() throws {
        let seed = UInt64.random(in: 1...(.max))
        print("wildNumbersFitToo: seed \(seed)")
        var random = Xorshift(state: seed)
        let wild = ["1e308", "-1e308", "-5", "0", "9007199254740993", "1e-320", "null", "\"x\"", "[]", "{}", "true"]
        for _ in 0..<50 {
            let json = Samples.text.replacing(/":[0-9][0-9.]*/) { number in
                random.next() % 4 == 0 ? "\":" + wild[Int(random.next() % UInt64(wild.count))] : String(number.output)
            }
            let sample = try StatusSample(json: Array(json.utf8), takenAtSeconds: 14)
            let figures = TopFigures(earlier: try Samples.first(), later: sample)
            let lines = TopFrame(figures, address: "a:1").lines(width: 90, height: 30)
            #expect(lines.allSatisfy { $0.count <= 90 } && lines.count <= 30)
            #expect(throws: Never.self) { try JSONEncoder().encode(figures) }
        }
    }

    private struct Xorshift: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    /// A name from the network moves no cursor.
    @Test func controlCharactersAreNotShown() throws {
        let json = #"{"version":"1\u001b[2J","listeners":[{"name":"a\u0007\nb"}]}"#
        let figures = TopFigures(earlier: nil, later: try StatusSample(json: Array(json.utf8), takenAtSeconds: 0))
        let lines = TopFrame(figures, address: "a:1").lines(width: 80, height: 24)
        #expect(lines[0].hasPrefix("apus 1?[2J"))
        #expect(lines.allSatisfy { $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } })
    }

    @Test(arguments: [
        (0.0, "0"), (7.5, "7.5"), (99.94, "99.9"), (640, "640"), (9999, "9999"), (12_340, "12.3k"), (999_499, "999k"),
        (999_500, "1.00M"), (1_250_000, "1.25M"), (5e9, "5.00G"), (2e12, "2.0T"), (1e300, "1e+300"),
        (.infinity, "-"),
    ])
    func numbersAreBrief(value: Double, text: String) { #expect(brief(value) == text) }

    @Test(arguments: [
        (0.0, "0.0us"), (0.0000412, "41.2us"), (0.00085, "850us"), (0.00125, "1.25ms"), (0.0312, "31.2ms"),
        (0.25, "250ms"), (2.0, "2.0s"), (120, "120s"), (.nan, "-"),
    ])
    func timesAreBrief(seconds: Double, text: String) { #expect(briefSeconds(seconds) == text) }

    @Test(arguments: [(0.0, "00:00:00"), (3661, "01:01:01"), (353_469, "4d 02:11:09"), (-1, "-"), (1e300, "-")])
    func agesAreBrief(seconds: Double, text: String) { #expect(age(seconds) == text) }
}

@Suite struct StatusResponseTests {
    private static let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\n{}".utf8)

    /// Every way an answer can come in two pieces.
    @Test func splitAnywhereItIsTheSame() {
        for count in 0..<StatusResponseTests.answer.count {
            let part = Array(StatusResponseTests.answer.prefix(count))
            #expect(StatusResponse(parsing: part, isEnd: false) == .incomplete)
            if case .malformed = StatusResponse(parsing: part, isEnd: true) {} else { Issue.record("\(count)") }
        }
        #expect(
            StatusResponse(parsing: StatusResponseTests.answer, isEnd: false)
                == .complete(code: 200, body: Array("{}".utf8)))
    }

    @Test func withoutALengthTheEndIsTheEnd() {
        let bytes = Array("HTTP/1.0 503 No\r\n\r\nabc".utf8)
        #expect(StatusResponse(parsing: bytes, isEnd: false) == .incomplete)
        #expect(StatusResponse(parsing: bytes, isEnd: true) == .complete(code: 503, body: Array("abc".utf8)))
    }

    @Test(arguments: [
        "NPRO\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    func whatItDoesNotReadIsRefused(text: String) {
        if case .malformed = StatusResponse(parsing: Array(text.utf8), isEnd: false) {} else { Issue.record("\(text)") }
    }
}
