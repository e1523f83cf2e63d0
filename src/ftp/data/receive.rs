//! The road in: an upload, decoded on the way where it is coded.
//! Refuses to know when an upload is whole: it comes back with what arrived, and the conversation decides.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gftp_plugin::rt;

use super::coding::{Decoders, Step};
use super::pump::{Broken, Traffic};
use crate::store::{Inflow, Upload};

/// A first receive buffer; it doubles while the peer fills it, so a slow upload holds little memory.
const FIRST_BUFFER: usize = 64 * 1024;
/// The largest receive buffer: beyond it, writes to the disk get no cheaper.
const LARGEST_BUFFER: usize = 1024 * 1024;
/// What one trip to the pool may take in, for the reason for which `SEND_WINDOW` is what it is.
const RECEIVE_WINDOW: u64 = 8 * 1024 * 1024;

impl Traffic {
    pub(super) async fn receive(
        &self,
        mut upload: Upload,
        mut decoders: Decoders,
    ) -> (Option<Upload>, Result<(), Broken>) {
        let mut buffer = vec![0; FIRST_BUFFER];
        let mut unseen = decoders.is_empty();
        loop {
            let received = self.fill(&mut buffer).await;
            // What came before a break is written too: it is what the client may resume from.
            let (filled, end) = match received {
                Ok(filled) => (filled, if filled < buffer.len() { Some(Ok(())) } else { None }),
                Err((filled, broken)) => (filled, Some(Err(broken))),
            };
            let last = matches!(end, Some(Ok(())));
            let written;
            (upload, decoders, buffer, written) = self.write_down(upload, decoders, buffer, filled, last).await;
            if let Err(broken) = written {
                return (Some(upload), Err(broken));
            }
            if let Some(end) = end {
                return (Some(upload), end);
            }
            // The peer has filled the buffer, so it is fast.
            if unseen {
                let poured;
                (upload, poured) = self.pour(upload).await;
                match poured {
                    Ok(Inflow::Ended) => return (Some(upload), Ok(())),
                    Ok(Inflow::Unsupported) => unseen = false,
                    Ok(_) => {}
                    Err(broken) => return (Some(upload), Err(broken)),
                }
            } else if buffer.len() < LARGEST_BUFFER {
                buffer = vec![0; buffer.len() * 2];
            }
        }
    }

    /// Takes in what comes, without seeing it, for as long as the peer keeps up; how that ended, if not by a failure.
    async fn pour(&self, mut upload: Upload) -> (Upload, Result<Inflow, Broken>) {
        loop {
            let socket = Arc::clone(&self.socket);
            let (taken, inflow);
            (upload, (taken, inflow)) = rt::unblock(move || {
                let taken = upload.take_in(&*socket, RECEIVE_WINDOW);
                (upload, taken)
            })
            .await;
            self.moved.fetch_add(taken, Ordering::Relaxed);
            match inflow {
                Inflow::Enough => {}
                Inflow::Lost(e) => return (upload, Err(Broken::Connection(e))),
                Inflow::Refused(e) => return (upload, Err(Broken::Store(e))),
                Inflow::Dry | Inflow::Ended | Inflow::Unsupported => return (upload, Ok(inflow)),
            }
        }
    }

    /// Decodes what is in the buffer and writes it to the file.
    async fn write_down(
        &self,
        mut upload: Upload,
        mut decoders: Decoders,
        buffer: Vec<u8>,
        filled: usize,
        last: bool,
    ) -> (Upload, Decoders, Vec<u8>, Result<(), Broken>) {
        if !decoders.is_dear() {
            return rt::unblock(move || {
                let written = write_decoded(&mut upload, &mut decoders, &buffer[..filled], last);
                (upload, decoders, buffer, written)
            })
            .await;
        }
        // The disk may be slow, and nobody's turn at a core is to wait for it.
        let (mut at, buffer) = (0, Arc::new(buffer));
        let written = loop {
            let (input, step);
            input = Arc::clone(&buffer);
            (decoders, step) = self
                .turns
                .take(move || {
                    let step = decoders.step(&input[at..filled], last);
                    (decoders, step)
                })
                .await;
            let Step { taken, made, more } = match step {
                Ok(step) => step,
                Err(flaw) => break Err(Broken::Coding(flaw)),
            };
            at += taken;
            let result;
            (upload, result) = rt::unblock(move || {
                let result = upload.write(&made);
                (upload, result)
            })
            .await;
            match result {
                Err(e) => break Err(Broken::Store(e)),
                Ok(()) if !more => break Ok(()),
                Ok(()) => {}
            }
        };
        (upload, decoders, Arc::unwrap_or_clone(buffer), written)
    }

    /// Fills the buffer from the connection; fewer bytes than it holds mean that the peer has ended cleanly.
    async fn fill(&self, buffer: &mut [u8]) -> Result<usize, (usize, Broken)> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.socket.get_ref().read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.moved.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.readable().await.map_err(|broken| (filled, broken))?;
                }
                Err(e) => return Err((filled, Broken::Connection(e))),
            }
        }
        Ok(filled)
    }
}

/// What `input` becomes, into the upload.
fn write_decoded(upload: &mut Upload, decoders: &mut Decoders, mut input: &[u8], last: bool) -> Result<(), Broken> {
    if decoders.is_empty() {
        return upload.write(input).map_err(Broken::Store);
    }
    loop {
        let Step { taken, made, more } = decoders.step(input, last)?;
        upload.write(&made).map_err(Broken::Store)?;
        if !more {
            return Ok(());
        }
        input = input.get(taken..).unwrap_or_default();
    }
}
