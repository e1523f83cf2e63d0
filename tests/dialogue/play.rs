//! Plays a transcript against a server: sessions, data connections and the disk, a step at a time. The language is told
//! in fixtures/transcripts/README.md; reading it is [`super::script`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;

use super::client::{self, Control, Outcome, PATIENCE, Reply};
use super::disk;
use super::script::{Step, Word, content, words};

/// One client of a transcript.
#[derive(Default)]
struct Guest {
    control: Option<Control>,
    listener: Option<TcpListener>,
    data: Option<TcpStream>,
    reply: Reply,
    /// The port that the last 227 or 229 named.
    port: Option<u16>,
    received: Vec<u8>,
}

/// A transcript being played.
pub struct Play<'a> {
    server: SocketAddr,
    root: &'a Path,
    /// The password of the account, where the server has one.
    password: &'a str,
    guests: BTreeMap<String, Guest>,
    current: String,
}

/// Everything a step may begin with; the check of the transcripts' README uses it.
pub const WORDS: [&str; 33] = [
    ">",
    "raw",
    "urgent",
    "<",
    "&",
    "!",
    "bytes",
    "login",
    "open",
    "session",
    "closed",
    "hang-up",
    "passive",
    "connect",
    "listen",
    "accept",
    "refused",
    "send",
    "close",
    "half-close",
    "reset",
    "receive",
    "drain",
    "and",
    "lacks",
    "file",
    "sparse",
    "directory",
    "symlink",
    "touch",
    "disk",
    "absent",
    "modified",
];

impl<'a> Play<'a> {
    /// A play that nobody has entered yet.
    pub fn new(server: SocketAddr, root: &'a Path, password: &'a str) -> Self {
        let guests = BTreeMap::from([(String::new(), Guest::default())]);
        Play { server, root, password, guests, current: String::new() }
    }

    /// Does one step.
    pub fn step(&mut self, step: &Step) -> Outcome<()> {
        let rest = step.rest.as_str();
        match step.word.as_str() {
            ">" => {
                let line = self.filled(rest)?;
                self.control()?.say(&line)
            }
            "<" => self.reply(rest),
            "&" => self.says(rest, true),
            "!" => self.says(rest, false),
            word => {
                let words = self.resolved(words(rest)?)?;
                match word {
                    "file" | "sparse" | "directory" | "symlink" | "touch" | "disk" | "absent" | "modified" => {
                        disk::step(self.root, word, &words)
                    }
                    "raw" | "urgent" | "bytes" | "login" | "open" | "session" | "closed" | "hang-up" => {
                        self.on_control(word, &words)
                    }
                    "receive" | "drain" | "and" | "lacks" => self.incoming(word, &words),
                    _ => self.on_data(word, &words),
                }
            }
        }
    }

    fn on_control(&mut self, word: &str, words: &[Word]) -> Outcome<()> {
        match word {
            "raw" => {
                let bytes = content(words)?;
                self.control()?.send(&bytes)
            }
            "urgent" => {
                let bytes = content(words)?;
                self.control()?.send_urgent(&bytes)
            }
            "bytes" => {
                let wanted = content(words)?;
                same("on the control connection", &wanted, &self.control()?.bytes(wanted.len())?)
            }
            "open" => {
                self.guest().control = Some(Control::greeted(self.server)?);
                Ok(())
            }
            "login" => self.login(words),
            "session" => {
                let [name] = words else { return Err("session NAME".to_string()) };
                self.current = String::from_utf8_lossy(&name.bytes).into_owned();
                self.guests.entry(self.current.clone()).or_default();
                Ok(())
            }
            "hang-up" => {
                self.guest().control = None;
                Ok(())
            }
            _ => {
                self.control()?.closed()?;
                self.guest().control = None;
                Ok(())
            }
        }
    }

    /// Opens a session and logs in: without an account, or as the server's account.
    fn login(&mut self, words: &[Word]) -> Outcome<()> {
        let control = match words {
            [] => Control::anonymous(self.server)?,
            [name] => {
                let mut control = Control::greeted(self.server)?;
                control.tell(&format!("USER {}", String::from_utf8_lossy(&name.bytes)), 331)?;
                control.tell(&format!("PASS {}", self.password), 230)?;
                control
            }
            _ => return Err("login [NAME]".to_string()),
        };
        self.guest().control = Some(control);
        Ok(())
    }

    /// `< CODE[/CODE…] [text]`: the next reply.
    fn reply(&mut self, rest: &str) -> Outcome<()> {
        let (codes, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let reply = self.control()?.reply().map_err(|e| format!("expected {codes}: {e}"))?;
        if !codes.split('/').any(|code| code == reply.code.to_string()) {
            return Err(format!("expected {codes}, got {}", reply.shown()));
        }
        if matches!(reply.code, 227 | 229) {
            self.guest().port = client::port_of(&reply);
        }
        self.guest().reply = reply;
        self.says(text, true)
    }

    /// Whether the last reply contains (or, with `=`, is) this text.
    fn says(&mut self, text: &str, wanted: bool) -> Outcome<()> {
        let text = self.filled(text)?;
        let (exact, text) = text.strip_prefix('=').map_or((false, text.as_str()), |text| (true, text));
        let text = if text.starts_with('"') { content(&words(text)?)? } else { text.as_bytes().to_vec() };
        let said = self.guest().reply.text();
        let found = if exact { said == text } else { contains(&said, &text) };
        if found == wanted {
            return Ok(());
        }
        let should = if wanted { "should say" } else { "should not say" };
        Err(format!("the reply {} {should} {}", self.guest().reply.shown(), text.escape_ascii()))
    }

    fn on_data(&mut self, word: &str, words: &[Word]) -> Outcome<()> {
        match word {
            "passive" => {
                let data = self.control()?.passive()?;
                self.guest().data = Some(data);
                Ok(())
            }
            "connect" => {
                let port = self.guest().port.ok_or("no reply has named a port")?;
                self.guest().data = Some(client::connect(SocketAddr::new(self.server.ip(), port))?);
                Ok(())
            }
            "listen" => {
                let listener = TcpListener::bind(SocketAddr::new(self.server.ip(), 0)).map_err(|e| e.to_string())?;
                self.guest().listener = Some(listener);
                Ok(())
            }
            "accept" => self.accept(),
            "refused" => {
                let port = self.guest().port.ok_or("no reply has named a port")?;
                let mut data = client::connect(SocketAddr::new(self.server.ip(), port))?;
                refused(&mut data)
            }
            "send" => {
                let bytes = content(words)?;
                self.data()?.write_all(&bytes).map_err(|e| format!("cannot send data: {e}"))
            }
            "close" => {
                drop(self.take_data()?);
                Ok(())
            }
            "half-close" => self.data()?.shutdown(Shutdown::Write).map_err(|e| e.to_string()),
            "reset" => client::reset(self.take_data()?),
            other => Err(format!("{other} is no word of this language")),
        }
    }

    /// Takes the connection that the server makes to the port of `listen`.
    fn accept(&mut self) -> Outcome<()> {
        let listener = self.guest().listener.take().ok_or("listen first")?;
        listener.set_nonblocking(true).map_err(|e| e.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match listener.accept() {
                Ok((data, _)) => {
                    data.set_nonblocking(false).map_err(|e| e.to_string())?;
                    self.guest().data = Some(data);
                    return Ok(());
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(e) => return Err(format!("accepting failed: {e}")),
            }
        }
        Err("the server did not connect".to_string())
    }

    /// What comes over the data connection, and what is said of it.
    fn incoming(&mut self, word: &str, words: &[Word]) -> Outcome<()> {
        match (word, words) {
            ("drain", _) => {
                let mut data = self.take_data()?;
                // Whatever comes, and however it ends.
                while let Ok(1..) = client::read_by(&mut data, &mut [0; 64 * 1024], Instant::now() + PATIENCE) {}
                Ok(())
            }
            ("receive", [some, count]) if some.is("first") => {
                let (mut first, mut piece) = (Vec::new(), vec![0; count.number()? as usize]);
                while first.len() < piece.len() {
                    let left = piece.len() - first.len();
                    match client::read_by(self.data()?, &mut piece[..left], Instant::now() + PATIENCE)? {
                        0 => return Err(format!("ended after {} bytes", first.len())),
                        read => first.extend_from_slice(&piece[..read]),
                    }
                }
                self.guest().received = first;
                Ok(())
            }
            ("receive", words) => {
                let mut data = self.take_data()?;
                self.guest().received = client::read_all(&mut data)?;
                self.received(words)
            }
            ("and", words) => self.received(words),
            (_, words) => {
                let unwanted = content(words)?;
                let received = &self.guest().received;
                match contains(received, &unwanted) {
                    true => Err(format!("{} should not be in {}", unwanted.escape_ascii(), shown(received))),
                    false => Ok(()),
                }
            }
        }
    }

    fn received(&mut self, words: &[Word]) -> Outcome<()> {
        let received = &self.guest().received;
        match words {
            [] => Ok(()),
            [contains_, wanted @ ..] if contains_.is("contains") => {
                let wanted = content(wanted)?;
                match contains(received, &wanted) {
                    true => Ok(()),
                    false => Err(format!("{} should be in {}", wanted.escape_ascii(), shown(received))),
                }
            }
            [lines, wanted @ ..] if lines.is("names") => {
                let wanted: BTreeSet<_> = wanted.iter().map(|word| word.bytes.clone()).collect();
                let lines = received.split_inclusive(|&byte| byte == b'\n');
                let lines = lines.map(|line| line.strip_suffix(b"\r\n").unwrap_or(line).to_vec());
                let received = lines.collect::<Vec<_>>();
                let set: BTreeSet<_> = received.iter().cloned().collect();
                match set == wanted && set.len() == received.len() {
                    true => Ok(()),
                    false => Err(format!("other names: {}", shown(&received.join(&b'\n')))),
                }
            }
            wanted => same("over the data connection", &content(wanted)?, received),
        }
    }

    fn guest(&mut self) -> &mut Guest {
        self.guests.entry(self.current.clone()).or_default()
    }

    fn control(&mut self) -> Outcome<&mut Control> {
        let server = self.server;
        let guest = self.guest();
        if guest.control.is_none() {
            guest.control = Some(Control::connect(server)?);
        }
        guest.control.as_mut().ok_or_else(|| "no session".to_string())
    }

    fn data(&mut self) -> Outcome<&mut TcpStream> {
        self.guest().data.as_mut().ok_or_else(|| "no data connection".to_string())
    }

    fn take_data(&mut self) -> Outcome<TcpStream> {
        self.guest().data.take().ok_or_else(|| "no data connection".to_string())
    }

    /// A line with its variables filled in.
    fn filled(&mut self, line: &str) -> Outcome<String> {
        let mut line = line.to_string();
        if line.contains("$PORT") || line.contains("$EPRT") {
            let at =
                self.guest().listener.as_ref().and_then(|listener| listener.local_addr().ok()).ok_or("listen first")?;
            let protocol = if at.is_ipv4() { 1 } else { 2 };
            let [high, low] = at.port().to_be_bytes();
            let fields = format!("{},{high},{low}", at.ip().to_string().replace('.', ","));
            line = line.replace("$PORT", &fields).replace("$EPRT", &format!("|{protocol}|{}|{}|", at.ip(), at.port()));
        }
        if line.contains("$FILE") {
            line = line.replace("$FILE", &self.file()?);
        }
        Ok(line)
    }

    /// The name in the `FILE: name` of the last reply (RFC 1123 §4.1.2.9).
    fn file(&mut self) -> Outcome<String> {
        let text = String::from_utf8(self.guest().reply.text()).map_err(|e| e.to_string())?;
        text.strip_prefix("FILE: ").map(String::from).ok_or_else(|| format!("no FILE: in {text}"))
    }

    fn resolved(&mut self, words: Vec<Word>) -> Outcome<Vec<Word>> {
        let fill = |word: Word| match word.is("$FILE") {
            true => self.file().map(|name| Word { bytes: name.into_bytes(), quoted: true }),
            false => Ok(word),
        };
        words.into_iter().map(fill).collect()
    }
}

/// A connection that nobody takes is closed, cleanly or by a reset, before a byte comes.
fn refused(data: &mut TcpStream) -> Outcome<()> {
    match client::read_by(data, &mut [0], Instant::now() + PATIENCE) {
        Ok(0) => Ok(()),
        Ok(_) => Err("bytes came".to_string()),
        Err(e) if e.contains("in time") => Err("the connection stays open".to_string()),
        Err(_) => Ok(()),
    }
}

fn same(place: &str, wanted: &[u8], got: &[u8]) -> Outcome<()> {
    match wanted == got {
        true => Ok(()),
        false => Err(format!("{place}: expected {}, got {}", shown(wanted), shown(got))),
    }
}

/// Bytes for people; long ones cut.
pub fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 2000;
    let more = if bytes.len() > MOST { "…" } else { "" };
    format!("{} bytes \"{}{more}\"", bytes.len(), bytes[..bytes.len().min(MOST)].escape_ascii())
}

/// Whether `whole` contains `part`.
pub fn contains(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}
