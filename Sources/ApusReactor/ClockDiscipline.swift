// How well the wall clock is kept, in the kernel's own words. It reads and never sets.

import CURing
import Glibc

package struct ClockDiscipline: Equatable, Sendable {
    /// Somebody (an NTP client, a hypervisor's clock) steers it.
    package let isSynchronised: Bool
    /// The kernel's bound on how wrong it may be; 16 s means that nobody has said for long.
    package let errorMicrosecondsMax: Int

    package init(isSynchronised: Bool, errorMicrosecondsMax: Int) {
        self.isSynchronised = isSynchronised
        self.errorMicrosecondsMax = errorMicrosecondsMax
    }

    /// Nil where a sandbox forbids to ask.
    package static func current() -> ClockDiscipline? {
        var state = timex()
        // No mode is set, so nothing is changed and no privilege is needed; the kernel fills in the structure.
        let result = unsafe adjtimex(&state)
        guard result >= 0 else { return nil }
        let isSteered = state.status & STA_UNSYNC == 0 && result != TIME_ERROR
        return ClockDiscipline(isSynchronised: isSteered, errorMicrosecondsMax: state.maxerror)
    }
}
