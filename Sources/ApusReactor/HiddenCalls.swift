// C functions of the system that Swift's Glibc module leaves out: glibc shows them only under _GNU_SOURCE, or in
// headers the module does not list. Their arguments are integers and pointers, which Swift's calling convention passes
// as C's.

import Glibc

/// Counter for waking; the flags are `EFD_…`.
@_silgen_name("eventfd")
func eventfd(_ initial: UInt32, _ flags: Int32) -> Int32

/// The descriptor is closed in a program that `exec` starts (EFD_CLOEXEC, which Linux defines as O_CLOEXEC).
let eventfdCloseOnExec = Int32(O_CLOEXEC)

@_silgen_name("pthread_setname_np")
func pthread_setname_np(_ thread: pthread_t, _ name: UnsafePointer<CChar>) -> Int32

@_silgen_name("pthread_attr_setaffinity_np")
func pthread_attr_setaffinity_np(
    _ attributes: UnsafeMutablePointer<pthread_attr_t>, _ byteCount: Int, _ cores: UnsafePointer<cpu_set_t>
) -> Int32

@_silgen_name("sched_getaffinity")
func sched_getaffinity(_ process: pid_t, _ byteCount: Int, _ cores: UnsafeMutablePointer<cpu_set_t>) -> Int32
