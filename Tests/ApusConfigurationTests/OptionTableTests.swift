// The table itself.

import ApusConfiguration
import Testing

@Suite struct OptionTableTests {
    @Test func pathsAreUnique() {
        #expect(Set(OptionTable.all.map(\.path)).count == OptionTable.all.count)
    }
}
