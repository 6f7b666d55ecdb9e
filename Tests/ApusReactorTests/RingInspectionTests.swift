// What is said of rings without serving with one, against a ring that could serve.

import ApusReactor
import Testing

@Suite struct RingInspectionTests {
    @Test func itSaysWhatARingCan() throws {
        let inspection = try RingInspection.current()
        let ring = try Ring(tier: .newest)
        #expect(inspection.capabilities == ring.capabilities)
        let missing = inspection.operations.filter { !$0.isSupported }.map(\.name)
        #expect(missing == [])
        #expect(Set(inspection.operations.map(\.name)).isSuperset(of: ["accept", "receive", "send", "msg_ring"]))
    }

    /// The kernel's bound is a time, and never negative.
    @Test func theClockCanBeAsked() {
        guard let clock = ClockDiscipline.current() else { return print("left out: adjtimex is forbidden here") }
        #expect(clock.errorMicrosecondsMax >= 0)
    }
}
