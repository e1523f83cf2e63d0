//! What long work on the tree has done so far, for whoever wants to tell it, whether the work ends or is stopped.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one piece of work. Shared as an `Arc` between who works and who tells.
#[derive(Debug, Default)]
pub struct Tally {
    files: AtomicU64,
    directories: AtomicU64,
    bytes: AtomicU64,
    left_out: AtomicU64,
}

impl Tally {
    /// Files and links.
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Directories.
    pub fn directories(&self) -> u64 {
        self.directories.load(Ordering::Relaxed)
    }

    /// Bytes copied.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What a copy cannot hold: pipes, devices, links that would leave the root.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    pub(super) fn file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn directory(&self) {
        self.directories.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn leave_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }
}
