//! A client of one server: it logs in, with or without TLS, and moves files; it refuses to know what is measured.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_rustls::rustls::ClientConfig;

use crate::Failure;
use crate::plain;
use crate::tls::{Purpose, Tls, stranger};

/// A server that says nothing for so long is not slow but stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is read of a listing at once: lines are counted as they come, which must not take a call for each.
const LISTED_AT_ONCE: usize = 256 * 1024;

/// Where the server is, what is offered to it where TLS is spoken, and how it is asked for data connections.
pub struct Target {
    pub port: u16,
    pub epsv: bool,
    pub tls: Option<ClientConfig>,
}

/// A connection of either kind.
enum Wire {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(buffer),
            Wire::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(bytes),
            Wire::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client that has logged in.
pub struct Session {
    control: BufReader<Wire>,
    /// It asks with EPSV, not with PASV.
    epsv: bool,
    /// With which its data connections are made, where TLS is spoken.
    tls: Option<Arc<ClientConfig>>,
    /// What was agreed upon, for people; None without TLS.
    pub agreed: Option<String>,
}

impl Session {
    pub fn open(target: &Target) -> Result<Session, Failure> {
        let control = BufReader::new(Wire::Plain(connect(target.port)?));
        let mut session = Session { control, epsv: target.epsv, tls: None, agreed: None };
        session.expect("the greeting", 220)?;
        if let Some(offer) = &target.tls {
            session = session.secured(stranger(offer))?;
        }
        session.say("USER anonymous")?;
        let (code, text) = session.reply()?;
        match code {
            // 232 is what RFC 4217 has for users whom TLS has made known.
            230 | 232 => {}
            331 => session.ask("PASS load@example.org", 230)?,
            _ => return Err(format!("USER: {text}").into()),
        }
        Ok(session)
    }

    /// TLS on the control connection.
    fn secured(mut self, config: Arc<ClientConfig>) -> Result<Session, Failure> {
        self.ask("AUTH TLS", 234)?;
        let Wire::Plain(socket) = self.control.into_inner() else { return Err("TLS within TLS".into()) };
        let tls = Tls::connect(socket, Arc::clone(&config), Purpose::Control).map_err(|e| format!("AUTH TLS: {e}"))?;
        let agreed = Some(tls.agreed());
        Ok(Session { control: BufReader::new(Wire::Tls(Box::new(tls))), epsv: self.epsv, tls: Some(config), agreed })
    }

    /// What is said once before transfers.
    pub fn prepare(&mut self) -> Result<(), Failure> {
        self.ask("TYPE I", 200)?;
        if self.tls.is_some() {
            self.ask("PBSZ 0", 200)?;
            self.ask("PROT P", 200)?;
        }
        Ok(())
    }

    fn say(&mut self, line: &str) -> Result<(), Failure> {
        Ok(self.control.get_mut().write_all(format!("{line}\r\n").as_bytes())?)
    }

    /// The last line of the next reply, and its code.
    fn reply(&mut self) -> Result<(u16, String), Failure> {
        let mut end = None;
        loop {
            let mut line = String::new();
            if self.control.read_line(&mut line)? == 0 {
                return Err("the server has closed the control connection".into());
            }
            let code: Option<u16> = line.get(..3).and_then(|code| code.parse().ok());
            match (code, line.as_bytes().get(3)) {
                (Some(code), Some(b' ')) if end.is_none_or(|end| end == code) => return Ok((code, line)),
                (Some(code), Some(b'-')) if end.is_none() => end = Some(code),
                _ if end.is_none() => return Err(format!("no reply: {line:?}").into()),
                _ => {}
            }
        }
    }

    fn expect(&mut self, what: &str, wanted: u16) -> Result<(), Failure> {
        match self.reply()? {
            (code, _) if code == wanted => Ok(()),
            (_, text) => Err(format!("{what}: {}", text.trim_end()).into()),
        }
    }

    fn ask(&mut self, line: &str, wanted: u16) -> Result<(), Failure> {
        self.say(line)?;
        self.expect(line, wanted)
    }

    /// Must be answered 200.
    pub fn noop(&mut self) -> Result<(), Failure> {
        self.ask("NOOP", 200)
    }

    /// A connection for data.
    fn passive(&mut self) -> Result<TcpStream, Failure> {
        self.say(if self.epsv { "EPSV" } else { "PASV" })?;
        let (_, text) = self.reply()?;
        let port = if self.epsv { extended_port(&text) } else { passive_port(&text) };
        Ok(connect(port.ok_or_else(|| format!("no port: {text}"))?)?)
    }

    /// Makes a data connection and begins a transfer on it. TLS begins after the reply, as most clients have it.
    fn begin(&mut self, command: &str) -> Result<Wire, Failure> {
        let data = self.passive()?;
        self.say(command)?;
        match self.reply()? {
            (125 | 150, _) => {}
            (_, text) => return Err(format!("{command}: {}", text.trim_end()).into()),
        }
        let Some(config) = &self.tls else { return Ok(Wire::Plain(data)) };
        let tls = Tls::connect(data, Arc::clone(config), Purpose::Data).map_err(|e| format!("data with TLS: {e}"))?;
        if let Some(agreed) = &mut self.agreed {
            let resumed = if tls.resumed() { ", resumed by data" } else { ", not resumed by data" };
            *agreed = format!("{}{resumed}", agreed.split(',').next().unwrap_or_default());
        }
        Ok(Wire::Tls(Box::new(tls)))
    }

    /// Fetches a file and throws it away; it must have this size.
    pub fn fetch(&mut self, path: &str, wanted: u64) -> Result<(), Failure> {
        let data = self.begin(&format!("RETR {path}"))?;
        // It is closed within the match, before the reply is read, as clients do at the end of a file; vsftpd waits for
        // that, 40 ms if nothing else makes us acknowledge its end.
        let bytes = match data {
            Wire::Plain(socket) => plain::discard(&socket, wanted)?,
            Wire::Tls(mut tls) => {
                let bytes = tls.discard()?;
                // A server that does not wait for this may have closed already.
                let _ = tls.close();
                bytes
            }
        };
        self.expect(path, 226)?;
        if bytes == wanted { Ok(()) } else { Err(format!("{path} came with {bytes} bytes, not {wanted}").into()) }
    }

    /// Fetches a file without TLS and tells `more` of its bytes as they come, until it has had enough; whether the whole
    /// file has come.
    pub fn fetch_while(&mut self, path: &str, more: impl FnMut(u64) -> bool) -> Result<bool, Failure> {
        let Wire::Plain(socket) = self.begin(&format!("RETR {path}"))? else { return Err("not with TLS".into()) };
        let whole = plain::discard_while(&socket, more)?;
        drop(socket);
        if whole {
            self.expect(path, 226)?;
        }
        Ok(whole)
    }

    /// Lists a folder without TLS: how long after the command the first byte has come, and how many lines have. The
    /// folder is gone to before: with a path, commands differ more.
    pub fn list(&mut self, command: &str) -> Result<(Duration, u64), Failure> {
        let begun = Instant::now();
        let Wire::Plain(mut socket) = self.begin(command)? else { return Err("not with TLS".into()) };
        let mut buffer = vec![0; LISTED_AT_ONCE];
        let (mut first, mut lines) = (None, 0);
        loop {
            let count = socket.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            first.get_or_insert_with(|| begun.elapsed());
            lines += buffer[..count].iter().filter(|&&byte| byte == b'\n').count() as u64;
        }
        drop(socket);
        self.expect(command, 226)?;
        Ok((first.ok_or_else(|| format!("{command}: nothing came"))?, lines))
    }

    /// Goes to a folder.
    pub fn go(&mut self, folder: &str) -> Result<(), Failure> {
        self.ask(&format!("CWD {folder}"), 250)
    }

    /// Stores a file of so many bytes; without TLS they come from `piece`.
    pub fn store(&mut self, path: &str, bytes: u64, piece: &File) -> Result<(), Failure> {
        match self.begin(&format!("STOR {path}"))? {
            Wire::Plain(socket) => plain::send(&socket, bytes, piece)?,
            Wire::Tls(mut tls) => {
                tls.send(bytes)?;
                tls.close()?;
                tls.drain()?;
            }
        }
        self.expect(path, 226)
    }

    pub fn leave(mut self) -> Result<(), Failure> {
        self.ask("QUIT", 221)?;
        if let Wire::Tls(tls) = self.control.get_mut() {
            // The server has said goodbye, and may be gone.
            let _ = tls.close();
        }
        Ok(())
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The port of a 227 reply: the last two of its six numbers.
fn passive_port(reply: &str) -> Option<u16> {
    let numbers = reply.strip_prefix("227")?.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    let numbers: Vec<u16> = numbers.map_while(|number| number.parse().ok()).collect();
    let [_, _, _, _, high, low] = numbers[..] else { return None };
    high.checked_mul(256)?.checked_add(low)
}

/// The port of a 229 reply, in which it stands between bars: (|||6446|).
fn extended_port(reply: &str) -> Option<u16> {
    reply.strip_prefix("229")?.split('|').nth(3)?.parse().ok()
}
