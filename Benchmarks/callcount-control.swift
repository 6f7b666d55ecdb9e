// The control of callcount.py: does one of everything that is counted there, as often as its argument says.
// It must never become clever: each step exists to be seen by the counter. What is made is kept in a global
// variable first, because the optimiser removes an allocation that nobody else can see.
import Glibc

final class Node {
    var next: Node?
    var value = 0
}

let shared = Node()
nonisolated(unsafe) var keptNode = shared
nonisolated(unsafe) var keptBytes: UnsafeMutableRawPointer?

@inline(never)
func retainAndRelease() {
    let node = Node()  // malloc, swift_allocObject
    node.next = shared  // swift_retain
    keptNode = node  // swift_release and free of the one before
}

@inline(never)
func access(_ node: Node, _ change: (inout Int) -> Void) {
    change(&node.value)  // swift_beginAccess: nobody can tell what `change` reaches
}

@inline(never)
func allocate() {
    precondition(posix_memalign(&keptBytes, 4096, 4096) == 0, "posix_memalign failed")
    free(keptBytes)
    keptBytes = calloc(1, 16)
    keptBytes = realloc(keptBytes, 64)
    free(keptBytes)
}

for _ in 0..<(Int(CommandLine.arguments[1]) ?? 0) {
    retainAndRelease()
    access(shared) { $0 += keptNode.value + 1 }
    allocate()
}
