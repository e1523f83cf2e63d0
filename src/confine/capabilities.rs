//! The capabilities of the process: what of root's power a thread has, may take, or may be given by a program that it
//! runs. All of them are given up; which is which is capabilities(7).

use rustix::io::{Errno, Result};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

/// More than any kernel has, which says itself where it ends.
const MOST: u32 = 64;

/// Makes sure that no program that is run brings any back. Only who may set capabilities can do that, so it comes before
/// all else is given up; where it cannot be done there are `no_new_privs`.
pub(super) fn forget_bounding() {
    for bit in 0..MOST {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match thread::capability_is_in_bounding_set(capability) {
            Ok(true) => {
                let _ = thread::remove_capability_from_bounding_set(capability);
            }
            Ok(false) => {}
            // There are no more.
            Err(_) => return,
        }
    }
}

/// Gives up all that this thread, and those that it starts, have and may take; and looks whether they are gone.
pub(super) fn give_up() -> Result<()> {
    // Kernels before 4.3 have no such set.
    match thread::clear_ambient_capability_set() {
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => return Err(errno),
    }
    let none = CapabilitySet::empty();
    thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    let left = thread::capabilities(None)?;
    let left = left.effective | left.permitted | left.inheritable;
    if left.is_empty() { Ok(()) } else { Err(Errno::PERM) }
}
