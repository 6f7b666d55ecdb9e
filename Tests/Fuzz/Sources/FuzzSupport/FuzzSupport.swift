// What every driver needs: libFuzzer's loop, and a way to stop on an input that shows a fault.

import CFuzzer
import Glibc

/// Hand the process to libFuzzer, with the program's own arguments; `driver` is called with each input.
public func runFuzzer(_ driver: @convention(c) (_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt) -> Never {
    var (argumentCount, arguments) = (CommandLine.argc, Optional(CommandLine.unsafeArgv))
    exit(LLVMFuzzerRunDriver(&argumentCount, &arguments, driver))
}

/// libFuzzer writes the input of a process that aborts to a file. Not a precondition: optimised code drops its text.
public func require(_ condition: Bool, _ complaint: @autoclosure () -> String) {
    guard !condition else { return }
    print("fuzz: \(complaint())")
    fflush(nil)
    abort()
}
