//! The road in: an upload, decoded on the way where it is coded.
//! Refuses to know when an upload is whole: it comes back with what arrived, and the conversation decides.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gftp_plugin::listen;
use gftp_plugin::rt;
use socket2::SockRef;

use super::coding::{Decoders, Step};
use super::gathered::{Buffer, GATHERED, is_fast};
use super::pump::{Broken, Traffic};
use super::sealed::Came;
use super::trip::{Next, WindowEnd, Wire};
use crate::store::{Inflow, Upload};

/// A trip that is shorter says nothing of how fast its peer is.
const SHORT: Duration = Duration::from_millis(2);
/// After so long, what lies back counts half: it says little of how fast the peer is now.
const LONG: Duration = Duration::from_millis(100);
/// The largest receive buffer: beyond it, writes to the disk get no cheaper.
const LARGEST_BUFFER: usize = 1024 * 1024;
/// What the kernel may hold of a slow upload at least: small windows cost a packet for each few bytes.
const LEAST_KERNEL_BUFFER: usize = 64 * 1024;
/// From a second's worth of this on the kernel chooses the size itself, and it knows best: up to some MiB, which go in a
/// few seconds, while no program may ask for as much as a long line needs (net.core.rmem_max).
const LARGEST_KERNEL_BUFFER: usize = 1024 * 1024;

impl Traffic {
    pub(super) async fn receive(
        &self,
        mut upload: Box<Upload>,
        mut decoders: Decoders,
    ) -> (Option<Box<Upload>>, Result<(), Broken>) {
        if self.sealed.is_some() && decoders.is_empty() {
            let (upload, poured) = self.pour_sealed(upload).await;
            return (Some(upload), poured);
        }
        if self.sealed.is_none() {
            // Most send nothing before they have heard the 150.
            if let Err(broken) = self.readable_here().await {
                return (Some(upload), Err(broken));
            }
        }
        let mut buffer = Buffer::new();
        let mut unseen = decoders.is_empty();
        loop {
            // What came before a break is written too: it is what the client may resume from.
            let end = match self.fill(&mut buffer).await {
                Ok(()) => (!buffer.is_full()).then_some(Ok(())),
                Err(broken) => Some(Err(broken)),
            };
            let last = matches!(end, Some(Ok(())));
            if last && decoders.is_empty() {
                // Written when it is published: one trip instead of two for a small file.
                upload.write_last(buffer.bytes);
                return (Some(upload), Ok(()));
            }
            buffer.filled();
            let written;
            (upload, decoders, buffer.bytes, written) = self.write_down(upload, decoders, buffer.bytes, last).await;
            if let Err(broken) = written {
                return (Some(upload), Err(broken));
            }
            if let Some(end) = end {
                return (Some(upload), end);
            }
            if unseen && buffer.is_fast() {
                let poured;
                (upload, poured) = self.pour(upload).await;
                match poured {
                    Ok(Inflow::Ended) => return (Some(upload), Ok(())),
                    Ok(Inflow::Unsupported) => unseen = false,
                    Ok(_) => {}
                    Err(broken) => return (Some(upload), Err(broken)),
                }
            } else if unseen {
                // Both are for who is fast.
                upload.close_pipe();
                rt::leave_thread();
                buffer.grow(GATHERED);
            } else {
                buffer.grow(LARGEST_BUFFER);
            }
            buffer.begin();
        }
    }

    /// The client has said that its upload is whole, and some wait to hear that from us too before they listen to a reply.
    /// One that has gone already has lost nothing.
    async fn answer_end(&self) {
        let _ = self.close_tls().await;
        let _ = self.socket.get_ref().shutdown(std::net::Shutdown::Write);
    }

    /// Takes in what comes through TLS, to its end.
    async fn pour_sealed(&self, mut upload: Box<Upload>) -> (Box<Upload>, Result<(), Broken>) {
        loop {
            let poured;
            (upload, poured) = self.pour(upload).await;
            let ended = match poured {
                Ok(Inflow::Dry) => match self.readable().await {
                    Ok(()) => continue,
                    Err(broken) => Err(broken),
                },
                Ok(Inflow::Ended) => {
                    self.answer_end().await;
                    Ok(())
                }
                Ok(_) => Err(lost(io::ErrorKind::Unsupported.into())),
                Err(broken) => Err(broken),
            };
            return (upload, ended);
        }
    }

    /// Takes in what comes, for as long as the peer keeps up and the store can; how that ended, if not by a failure.
    async fn pour(&self, mut upload: Box<Upload>) -> (Box<Upload>, Result<Inflow, Broken>) {
        loop {
            let limit = match self.may_take(u64::MAX).await {
                Ok(limit) => limit,
                Err(broken) => return (upload, Err(broken)),
            };
            let wire = self.wire();
            let inflow;
            (upload, inflow) = rt::unblock_long(move |should_end| {
                let inflow = take_in_trip(&wire, &mut upload, limit, should_end);
                (upload, inflow)
            })
            .await;
            match inflow {
                Inflow::Enough => {}
                Inflow::Lost(e) => return (upload, Err(lost(e))),
                Inflow::Refused(e) => return (upload, Err(Broken::Store(e))),
                Inflow::Dry | Inflow::Ended | Inflow::Unsupported => return (upload, Ok(inflow)),
            }
        }
    }

    /// Decodes what is in the buffer and writes it to the file.
    async fn write_down(
        &self,
        mut upload: Box<Upload>,
        mut decoders: Decoders,
        buffer: Vec<u8>,
        last: bool,
    ) -> (Box<Upload>, Decoders, Vec<u8>, Result<(), Broken>) {
        if !decoders.is_dear() {
            return rt::unblock(move || {
                let written = write_decoded(&mut upload, &mut decoders, &buffer, last);
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
                    let step = decoders.step(&input[at..], last);
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

    /// How many bytes may be taken in now, of an upload that may be capped. What is not taken in waits in the kernel, and
    /// then at the sender; where that is slow, the kernel is told to hold no more than a second's worth: a sender that
    /// sees megabytes go at once, and then nothing for longer than it has patience, gives up.
    async fn may_take(&self, most: u64) -> Result<u64, Broken> {
        let allowed = self.may_move(most).await?;
        if let Some(pace) = &self.pace
            && let Some(size) = pace.new_buffer(LEAST_KERNEL_BUFFER..=LARGEST_KERNEL_BUFFER)
        {
            // A larger buffer than wished for does no harm but the one above.
            let _ = SockRef::from(&self.socket).set_recv_buffer_size(size);
        }
        Ok(allowed)
    }

    /// The same through TLS.
    async fn fill_sealed(&self, buffer: &mut Vec<u8>) -> Result<(), Broken> {
        while buffer.len() < buffer.capacity() {
            let room = buffer.capacity() - buffer.len();
            let most = self.may_take(room as u64).await?;
            let (wire, wanted) = (self.wire(), room.min(usize::try_from(most).unwrap_or(room)));
            let (piece, came) = rt::unblock(move || {
                let mut piece = vec![0; wanted];
                let (count, came) = wire
                    .sealed()
                    .map_or((0, Ok(Came::End)), |mut sealed| sealed.receive_into(&wire.socket, &mut piece));
                piece.truncate(count);
                (piece, came)
            })
            .await;
            buffer.extend_from_slice(&piece);
            self.has_moved(piece.len() as u64);
            match came {
                Ok(Came::Some) => {}
                Ok(Came::Nothing) => {
                    listen::confirm(&self.socket);
                    self.readable().await?;
                }
                Ok(Came::End) => {
                    self.answer_end().await;
                    break;
                }
                Err(e) => return Err(lost(e)),
            }
        }
        Ok(())
    }

    /// Fills an empty buffer from the connection, as far as it has room; room that is left means that the peer has ended
    /// cleanly. What came before a break is in it, too.
    async fn fill(&self, buffer: &mut Buffer) -> Result<(), Broken> {
        let Buffer { bytes, since, .. } = buffer;
        if self.sealed.is_some() {
            return self.fill_sealed(bytes).await;
        }
        while bytes.len() < bytes.capacity() {
            let room = bytes.capacity() - bytes.len();
            let most = self.may_take(room as u64).await?;
            match listen::receive(&self.socket, bytes, room.min(usize::try_from(most).unwrap_or(room))) {
                Ok(0) => break,
                Ok(count) => {
                    since.get_or_insert_with(Instant::now);
                    self.has_moved(count as u64);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                Err(e) => return Err(Broken::Connection(e)),
            }
        }
        Ok(())
    }
}

/// Takes in `limit` bytes, for as long as the peer sends them without delay.
fn take_in_trip(wire: &Wire, upload: &mut Upload, limit: u64, should_end: &dyn Fn() -> bool) -> Inflow {
    let (began, taken) = (Cell::new(Instant::now()), Cell::new(0));
    let window = |_, most| {
        let (moved, end) = match wire.sealed() {
            Some(mut sealed) => sealed.take_in(&wire.socket, upload, most),
            None => upload.take_in(&*wire.socket, most),
        };
        taken.set(taken.get() + moved);
        (moved, end)
    };
    let is_ready = |moment| {
        let time = began.get().elapsed();
        if wire.sealed().is_some() {
            // The end of the data is a small record of its own.
            listen::confirm(&wire.socket);
        } else if time > SHORT && !is_fast(taken.get(), time) {
            return false;
        } else if time > LONG {
            began.set(began.get() + time / 2);
            taken.set(taken.get() / 2);
        }
        listen::can_read_within(&wire.socket, moment)
    };
    wire.trip(limit, window, is_ready, should_end).1
}

impl WindowEnd for Inflow {
    fn next(&self) -> Next {
        match self {
            Inflow::Enough => Next::Window,
            Inflow::Dry => Next::Wait,
            Inflow::Ended | Inflow::Lost(_) | Inflow::Refused(_) | Inflow::Unsupported => Next::End,
        }
    }
}

/// Why a stream through TLS broke: TCP itself never ends unexpectedly.
fn lost(error: io::Error) -> Broken {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Broken::Unproven,
        _ => Broken::Connection(error),
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
