// How many descriptors this process may have open.

import Glibc

/// Raise the soft limit to the hard one, which any process may do; returns the limit that then holds.
package func raiseDescriptorLimit() -> Int {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0 else { return Int(FD_SETSIZE) }
    let soft = limit.rlim_cur
    limit.rlim_cur = limit.rlim_max
    let raised = unsafe setrlimit(resource, &limit) == 0
    return Int(clamping: raised ? limit.rlim_max : soft)
}
