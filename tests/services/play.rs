//! Plays a transcript of a service: its clients, its clock, and the server's end. The language is told in
//! fixtures/transcripts/README.md; reading it is [`super::script`]'s.
//!
//! Nothing here sleeps. The clock moves only once exactly so many moments are waited for, so that the service has done
//! before what it does before it waits; and every byte that a client is sent must be named by a step of its own, in
//! order, until the server's end. So what comes too early, too late or too often shows, and nothing need be waited for
//! in vain.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use gftp::host::{self, Address, Drained, Entry, Gate, Guard, GuardRules, Places, Served};
use gftp_plugin::rt::{self, JoinHandle};
use gftp_plugin::{Conn, Hand, Limits, Origin, Service, ShutdownTrigger, Time, parse_time};

use super::script::Script;
use crate::dialogue::client::{self, Outcome};
use crate::dialogue::play::shown;
use crate::dialogue::script::{Family, content, words};

/// What a step may be, as the README lists it.
pub const STEPS: [&str; 12] = [
    "NAME connects",
    "NAME receives CONTENT",
    "NAME has received nothing",
    "NAME sends CONTENT",
    "NAME closes its sending side",
    "NAME leaves",
    "NAME breaks off",
    "NAME is closed",
    "the clock moves TIME",
    "the clock has N waiting",
    "the clock is set to MOMENT",
    "the server drains",
];

/// More than any transcript has clients.
const PLACES: Places = Places { total: 100, per_address: 100 };

/// A transcript being played.
pub struct Play {
    server: SocketAddr,
    hand: Hand,
    trigger: Arc<ShutdownTrigger>,
    serving: JoinHandle<Drained>,
    /// Something comes for each connection that the service was told of.
    arrivals: Receiver<()>,
    clients: BTreeMap<String, TcpStream>,
    patience: Duration,
}

/// A service that tells who has come: until the host has accepted a connection, its end may come before.
struct Announced {
    service: Arc<dyn Service>,
    arrivals: Sender<()>,
}

impl Service for Announced {
    fn name(&self) -> &str {
        self.service.name()
    }

    fn serve(&self, conn: Conn) -> BoxFuture<'_, io::Result<()>> {
        self.service.serve(conn)
    }

    fn arrived(&self, origin: &Origin) {
        self.service.arrived(origin);
        // Nobody hears it once the play is over.
        let _ = self.arrivals.send(());
    }

    fn descriptors(&self) -> usize {
        self.service.descriptors()
    }

    fn logs_in(&self) -> bool {
        self.service.logs_in()
    }

    fn turned_away(&self, why: &str) -> Vec<u8> {
        self.service.turned_away(why)
    }
}

impl Play {
    /// Serves what the script names. Whatever is to come must come within `patience`. An error comes with its line,
    /// which is zero where it is that of no step.
    pub fn begin(script: &Script, family: Family, patience: Duration) -> Result<Play, (usize, String)> {
        Play::serve(script, family, patience).map_err(|e| (0, e))
    }

    fn serve(script: &Script, family: Family, patience: Duration) -> Outcome<Play> {
        let (time, hand) = Time::by_hand(script.at);
        let (announced, arrivals) = channel();
        let service = Arc::new(Announced { service: super::service(script, time)?, arrivals: announced });
        let ip = match family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        let at = Address { at: SocketAddr::new(ip, 0), optional: false };
        let listeners = host::bind(&[at]).map_err(|(at, e)| format!("cannot listen on {at}: {e}"))?;
        let server = listeners[0].local_addr().map_err(|e| e.to_string())?;
        let (trigger, shutdown) = gftp_plugin::Shutdown::new();
        let trigger = Arc::new(trigger);
        let served = Served { service, limits: Limits::default(), places: None, entry: Entry::default(), listeners };
        let all = host::watch(vec![served]).map_err(|e| e.to_string())?;
        let (gate, guard) = (Gate::new(PLACES), Guard::new(GuardRules::default()));
        let serving = host::serve(all, gate, guard, shutdown, Arc::clone(&trigger), patience);
        Ok(Play { server, hand, trigger, serving: rt::spawn(serving), arrivals, clients: BTreeMap::new(), patience })
    }

    /// Does all steps, and then drains: whoever is still there is let go, and has been sent nothing that no step has
    /// named.
    pub fn play_out(mut self, script: &Script) -> Result<(), (usize, String)> {
        script.steps.iter().try_for_each(|(number, line)| self.step(line).map_err(|e| (*number, e)))?;
        self.end().map_err(|e| (0, format!("at the end: {e}")))
    }

    fn end(self) -> Outcome<()> {
        self.trigger.drain();
        for (name, mut stream) in self.clients {
            closed(&mut stream, self.patience).map_err(|e| format!("{name}: {e}"))?;
        }
        match within(self.patience, self.serving) {
            Some(Drained { cut_off: 0 }) => Ok(()),
            Some(Drained { cut_off }) => Err(format!("{cut_off} sessions had to be cut off")),
            None => Err("the server does not end".to_string()),
        }
    }

    fn step(&mut self, line: &str) -> Outcome<()> {
        let patience = self.patience;
        let (who, what) = line.split_once(' ').unwrap_or((line, ""));
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        match (who, verb, rest) {
            ("the", "clock", rest) => self.clock(rest),
            ("the", "server", "drains") => {
                self.trigger.drain();
                Ok(())
            }
            (name, "connects", "") => self.connects(name),
            (name, "receives", rest) => receives(self.client(name)?, &content(&words(rest)?)?, patience),
            (name, "has", "received nothing") => quiet(self.client(name)?),
            (name, "sends", rest) => {
                let bytes = content(&words(rest)?)?;
                self.client(name)?.write_all(&bytes).map_err(|e| format!("cannot send: {e}"))
            }
            (name, "closes", "its sending side") => {
                self.client(name)?.shutdown(Shutdown::Write).map_err(|e| format!("cannot close: {e}"))
            }
            (name, "leaves", "") => {
                quiet(self.client(name)?)?;
                self.clients.remove(name);
                Ok(())
            }
            (name, "breaks", "off") => {
                self.client(name)?;
                self.clients.remove(name).map_or(Ok(()), client::reset)
            }
            (name, "is", "closed") => {
                closed(self.client(name)?, patience)?;
                self.clients.remove(name);
                Ok(())
            }
            _ => Err(format!("{line} is no step")),
        }
    }

    fn connects(&mut self, name: &str) -> Outcome<()> {
        if self.clients.contains_key(name) {
            return Err(format!("{name} is here already"));
        }
        self.clients.insert(name.to_string(), client::connect(self.server)?);
        self.arrivals.recv_timeout(self.patience).map_err(|_| "nobody lets it in".to_string())
    }

    fn clock(&self, rest: &str) -> Outcome<()> {
        let words: Vec<_> = rest.split_whitespace().collect();
        match words.as_slice() {
            ["moves", time] => self.move_clock(time, "1"),
            ["moves", time, "with", count, "waiting"] => self.move_clock(time, count),
            ["is", "set", "to", moment] => {
                self.hand.set(humantime::parse_rfc3339(moment).map_err(|e| format!("{moment}: {e}"))?);
                Ok(())
            }
            ["has", count, "waiting"] => self.until_waiting(count),
            _ => Err(format!("the clock {rest} is no step")),
        }
    }

    fn move_clock(&self, time: &str, count: &str) -> Outcome<()> {
        self.until_waiting(count)?;
        self.hand.advance(parse_time(time)?);
        Ok(())
    }

    fn until_waiting(&self, count: &str) -> Outcome<()> {
        let count = count.parse().map_err(|_| format!("{count} is no number"))?;
        within(self.patience, self.hand.until_waiting(count)).ok_or_else(|| format!("there are never {count} waiting"))
    }

    fn client(&mut self, name: &str) -> Outcome<&mut TcpStream> {
        self.clients.get_mut(name).ok_or_else(|| format!("{name} is not connected"))
    }
}

/// None if it is not there in time.
fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    rt::block_on(rt::timeout(patience, async { Ok(future.await) })).ok()
}

/// The next bytes are these.
fn receives(stream: &mut TcpStream, wanted: &[u8], patience: Duration) -> Outcome<()> {
    let deadline = Instant::now() + patience;
    let mut got = vec![0; wanted.len()];
    let mut count = 0;
    while count < got.len() {
        let read = client::read_by(stream, &mut got[count..], deadline);
        let why = match read {
            Ok(0) => "it was closed".to_string(),
            Err(e) => e,
            Ok(more) => {
                count += more;
                continue;
            }
        };
        return Err(format!("expected {}, got {}: {why}", shown(wanted), shown(&got[..count])));
    }
    match got == wanted {
        true => Ok(()),
        false => Err(format!("expected {}, got {}", shown(wanted), shown(&got))),
    }
}

/// Nothing is there to be read, not even the end.
fn quiet(stream: &mut TcpStream) -> Outcome<()> {
    let mut byte = [0; 64];
    stream.set_nonblocking(true).map_err(|e| e.to_string())?;
    let peeked = stream.peek(&mut byte);
    stream.set_nonblocking(false).map_err(|e| e.to_string())?;
    match peeked {
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(e) => Err(format!("it is broken: {e}")),
        Ok(0) => Err("it was closed".to_string()),
        Ok(count) => Err(format!("it has received {}", shown(&byte[..count]))),
    }
}

/// The server ends the connection, and says nothing before.
fn closed(stream: &mut TcpStream, patience: Duration) -> Outcome<()> {
    let mut bytes = [0; 256];
    match client::read_by(stream, &mut bytes, Instant::now() + patience)? {
        0 => Ok(()),
        count => Err(format!("expected the end, got {}", shown(&bytes[..count]))),
    }
}
