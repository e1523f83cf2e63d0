//! An FTP client that is strict where real ones are lenient: it reads replies as RFC 959 §4.2 writes them and nothing
//! else, waits with a deadline, and never retries. Panics nowhere; a failure is a sentence.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

/// How long anything may take that the server owes at once. Generous, because the machine may be busy with a build.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// A reply longer than this is no reply; a listing by STAT may have 256 KiB.
const LARGEST_REPLY: usize = 1024 * 1024;

/// What a check comes to; the error says what was expected and what came.
pub type Outcome<T> = Result<T, String>;

/// One whole reply.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Its three digits.
    pub code: u16,
    /// Its lines without code, separator and CRLF; those between the first and the last as they were sent.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// The lines, joined by LF.
    pub fn text(&self) -> Vec<u8> {
        self.lines.join(&b'\n')
    }

    /// The text for people.
    pub fn shown(&self) -> String {
        format!("{} {}", self.code, self.text().escape_ascii())
    }
}

/// A control connection.
pub struct Control {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Control {
    /// Connects; nothing is read yet, not even the greeting.
    pub fn connect(to: SocketAddr) -> Outcome<Control> {
        Control::over(connect(to)?)
    }

    /// Over a connection that stands already; nothing is read.
    pub fn over(stream: TcpStream) -> Outcome<Control> {
        stream.set_nodelay(true).map_err(|e| format!("TCP_NODELAY: {e}"))?;
        Ok(Control { stream, received: Vec::new() })
    }

    /// Connects and reads the greeting.
    pub fn greeted(to: SocketAddr) -> Outcome<Control> {
        let mut control = Control::connect(to)?;
        control.expect(220)?;
        Ok(control)
    }

    /// Connects and logs in without an account.
    pub fn anonymous(to: SocketAddr) -> Outcome<Control> {
        let mut control = Control::greeted(to)?;
        control.tell("USER anonymous", 331)?;
        control.tell("PASS visitor@", 230)?;
        Ok(control)
    }

    /// The socket, for what is done to it rather than said through it.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.stream.write_all(bytes).map_err(|e| format!("cannot send {}: {e}", bytes.escape_ascii()))
    }

    /// Sends bytes as TCP urgent data.
    pub fn send_urgent(&mut self, bytes: &[u8]) -> Outcome<()> {
        let sent = SockRef::from(&self.stream).send_out_of_band(bytes).map_err(|e| format!("urgent data: {e}"))?;
        if sent == bytes.len() { Ok(()) } else { Err(format!("only {sent} urgent bytes were taken")) }
    }

    /// Sends a command line.
    pub fn say(&mut self, line: &str) -> Outcome<()> {
        self.send(format!("{line}\r\n").as_bytes())
    }

    /// Sends a command line and reads its reply, which must have this code.
    pub fn tell(&mut self, line: &str, code: u16) -> Outcome<Reply> {
        self.say(line)?;
        self.expect(code).map_err(|e| format!("{line}: {e}"))
    }

    /// Sends a command line and reads its reply, whatever it is.
    pub fn ask(&mut self, line: &str) -> Outcome<Reply> {
        self.say(line)?;
        self.reply().map_err(|e| format!("{line}: {e}"))
    }

    /// Reads a reply, which must have this code.
    pub fn expect(&mut self, code: u16) -> Outcome<Reply> {
        let reply = self.reply()?;
        if reply.code == code { Ok(reply) } else { Err(format!("expected {code}, got {}", reply.shown())) }
    }

    /// Reads one whole reply.
    pub fn reply(&mut self) -> Outcome<Reply> {
        let deadline = Instant::now() + PATIENCE;
        let first = self.line(deadline)?;
        let (code, more, text) = split_line(&first)?;
        let mut reply = Reply { code, lines: vec![text.to_vec()] };
        if !more {
            return Ok(reply);
        }
        let last = format!("{code} ");
        loop {
            let line = self.line(deadline)?;
            if let Some(text) = line.strip_prefix(last.as_bytes()) {
                reply.lines.push(text.to_vec());
                return Ok(reply);
            }
            // A line that looks like a code may be taken for the end by a client that does not count (RFC 959 §4.2).
            if line.len() >= 3 && line[..3].iter().all(u8::is_ascii_digit) {
                return Err(format!("a line inside a reply begins with a code: {}", line.escape_ascii()));
            }
            reply.lines.push(line);
        }
    }

    /// Reads exactly so many bytes, outside of any reply.
    pub fn bytes(&mut self, count: usize) -> Outcome<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        while self.received.len() < count {
            if !self.fill(deadline)? {
                return Err(format!("closed after {}", self.received.escape_ascii()));
            }
        }
        Ok(self.received.drain(..count).collect())
    }

    /// The server must end the connection, and say nothing more.
    pub fn closed(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.received.is_empty() {
            if !self.fill(deadline)? {
                return Ok(());
            }
        }
        Err(format!("expected the end of the connection, got {}", self.received.escape_ascii()))
    }

    /// Asks for a passive port and connects to it.
    pub fn passive(&mut self) -> Outcome<TcpStream> {
        let port = self.epsv()?;
        let host = self.stream.peer_addr().map_err(|e| e.to_string())?.ip();
        connect(SocketAddr::new(host, port))
    }

    /// Asks for a passive port.
    pub fn epsv(&mut self) -> Outcome<u16> {
        let reply = self.tell("EPSV", 229)?;
        port_of(&reply).ok_or_else(|| format!("no port in {}", reply.shown()))
    }

    fn line(&mut self, deadline: Instant) -> Outcome<Vec<u8>> {
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let Some(line) = line.strip_suffix(b"\r\n") else {
                    return Err(format!("a line does not end in CRLF: {}", line.escape_ascii()));
                };
                return Ok(line.to_vec());
            }
            if self.received.len() > LARGEST_REPLY {
                return Err("an endless line".to_string());
            }
            if !self.fill(deadline)? {
                return Err(format!("closed instead of a reply, after {:?}", self.received.escape_ascii().to_string()));
            }
        }
    }

    /// Reads more. False: the connection has ended.
    fn fill(&mut self, deadline: Instant) -> Outcome<bool> {
        let mut piece = [0; 16 * 1024];
        let count = read_by(&mut self.stream, &mut piece, deadline)?;
        self.received.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }
}

/// Code, whether more lines follow, text.
fn split_line(line: &[u8]) -> Outcome<(u16, bool, &[u8])> {
    match line {
        [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', separator @ (b' ' | b'-'), text @ ..] => {
            let code = [a, b, c].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0'));
            Ok((code, *separator == b'-', text))
        }
        _ => Err(format!("no reply line: {}", line.escape_ascii())),
    }
}

/// The port that a 227 or 229 names.
pub fn port_of(reply: &Reply) -> Option<u16> {
    let text = String::from_utf8(reply.text()).ok()?;
    let inside = text.split_once('(')?.1.split_once(')')?.0;
    if reply.code == 229 {
        return inside.strip_prefix("|||")?.strip_suffix('|')?.parse().ok();
    }
    let fields: Vec<u16> = inside.split(',').map(|field| field.parse().ok()).collect::<Option<_>>()?;
    match fields[..] {
        [_, _, _, _, high, low] if high < 256 && low < 256 => Some(high * 256 + low),
        _ => None,
    }
}

/// Connects with a deadline.
pub fn connect(to: SocketAddr) -> Outcome<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(|e| format!("cannot connect to {to}: {e}"))?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
    Ok(stream)
}

/// One read that waits until `deadline` at most.
pub fn read_by(stream: &mut TcpStream, into: &mut [u8], deadline: Instant) -> Outcome<usize> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("nothing came in time".to_string());
        }
        stream.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
        match stream.read(into) {
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            other => return other.map_err(|e| format!("reading failed: {e}")),
        }
    }
}

/// Everything until the other side ends cleanly.
pub fn read_all(stream: &mut TcpStream) -> Outcome<Vec<u8>> {
    let (mut all, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        // The deadline is for silence, not for the whole: a large file on a busy machine takes its time.
        match read_by(stream, &mut piece, Instant::now() + PATIENCE)? {
            0 => return Ok(all),
            count => all.extend_from_slice(&piece[..count]),
        }
    }
}

/// Ends a connection with a reset instead of a clean end.
pub fn reset(stream: TcpStream) -> Outcome<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).map_err(|e| format!("SO_LINGER: {e}"))
}

/// Sends everything and ends cleanly.
pub fn send_all(mut stream: TcpStream, bytes: &[u8]) -> Outcome<()> {
    stream.write_all(bytes).map_err(|e| format!("cannot send data: {e}"))?;
    stream.shutdown(Shutdown::Write).map_err(|e| format!("cannot end the data: {e}"))
}
