//! Bare loops, a thread for each session, that stand where a server would: they answer what the clients of the scenarios say by the
//! fewest system calls that do the work, and know no account, no rule, no limit and no second command at once. What they
//! come to shows how much of a scenario's time is the kernel's and the clients'.
//!
//! They must never be reachable: they serve whatever is asked for, to everybody, and their uploads end where the data do.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use clap::Args;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustix::fs::{Mode, OFlags, RawDir, open, sendfile};
use rustix::io::Errno;
use serde_json::Value;

use crate::Failure;
use crate::careful::{self, Careful};

/// Sessions at once: more than any scenario has that a bare loop stands in.
const SESSIONS: usize = 128;
/// What is read of a small upload at once, and of a directory: as gftp does.
const AT_ONCE: usize = 64 * 1024;
/// With how many a client that is to resume the session over its data connections is sent away: as gftp does.
const TICKETS: usize = 2;
/// What sendfile is asked for at once: all that there is, as the kernel allows no more in one call.
const SENT_AT_ONCE: usize = 0x7fff_f000;

#[derive(Args)]
pub struct Bare {
    #[arg(long)]
    port: u16,
    /// What it serves
    #[arg(long)]
    root: PathBuf,
    /// Its certificate, if it is to know AUTH TLS
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    #[arg(long)]
    key: Option<PathBuf>,
    /// Keep what gftp promises of uploads and of TLS, so far as that takes system calls and tickets
    #[arg(long)]
    careful: bool,
}

impl Bare {
    /// Serves until it is killed. The threads are there before anybody comes: to begin one costs more than a login.
    pub fn run(&self) -> Result<Value, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        let secure = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some(offer(cert, key, if self.careful { TICKETS } else { 0 })?),
            _ => None,
        };
        let careful = self.careful.then(|| Careful::confined(&self.root)).transpose()?;
        thread::scope(|threads| {
            for number in 0..SESSIONS {
                let (listener, secure, careful) = (&listener, secure.as_ref(), careful.as_ref());
                threads.spawn(move || self.serve(number, listener, secure, careful));
            }
        });
        Err("nobody listens any more".into())
    }

    /// Until no connection can be accepted any more.
    fn serve(
        &self,
        number: usize,
        listener: &TcpListener,
        secure: Option<&Arc<ServerConfig>>,
        careful: Option<&Careful>,
    ) {
        let mut buffer = vec![0; AT_ONCE];
        while let Ok((socket, _)) = listener.accept() {
            // Where that fails, replies are late, and the table will show it.
            let _ = socket.set_nodelay(true);
            let session = Loop {
                number,
                control: BufReader::new(if careful.is_some() {
                    Control::Careful(socket)
                } else {
                    Control::Plain(socket)
                }),
                secure,
                careful,
                passive: None,
                root: &self.root,
                folder: self.root.clone(),
                buffer: &mut buffer,
            };
            // Whoever goes away ends it.
            let _ = session.run();
        }
    }
}

/// What is to be agreed upon with whoever says AUTH TLS. Tickets are for data connections, of which it has none with TLS.
fn offer(cert: &Path, key: &Path, tickets: usize) -> Result<Arc<ServerConfig>, Failure> {
    let certificates = vec![CertificateDer::from_pem_file(cert)?];
    let mut offer = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key)?)?;
    offer.send_tls13_tickets = tickets;
    Ok(Arc::new(offer))
}

enum Control {
    Plain(TcpStream),
    /// The same, where no wait may be without an end.
    Careful(TcpStream),
    Secure(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Read for Control {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Control::Plain(socket) => socket.read(buffer),
            Control::Careful(socket) => {
                careful::wait(socket)?;
                socket.read(buffer)
            }
            Control::Secure(stream) => stream.read(buffer),
        }
    }
}

struct Loop<'a> {
    /// Its thread's, which no other session has at the same time.
    number: usize,
    control: BufReader<Control>,
    secure: Option<&'a Arc<ServerConfig>>,
    careful: Option<&'a Careful>,
    /// Data connections come here; it stands for the whole session once it does.
    passive: Option<TcpListener>,
    root: &'a Path,
    folder: PathBuf,
    buffer: &'a mut [u8],
}

impl Loop<'_> {
    fn run(mut self) -> io::Result<()> {
        self.say("220 bare\r\n")?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.control.read_line(&mut line)? == 0 {
                return Ok(());
            }
            // ftpbench says some of them in small letters.
            if let Some(verb) = line.get_mut(..4) {
                verb.make_ascii_uppercase();
            }
            let (verb, argument) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
            match verb {
                "AUTH" => self.secure()?,
                "USER" => self.say("331 and\r\n")?,
                "PASS" => self.say("230 in\r\n")?,
                "CWD" => {
                    self.folder = self.path(argument);
                    self.say("250 there\r\n")?;
                }
                "PASV" => {
                    let told = pasv(self.listen()?);
                    self.say(&told)?;
                }
                "EPSV" => {
                    let told = format!("229 (|||{}|)\r\n", self.listen()?);
                    self.say(&told)?;
                }
                "RETR" => self.retr(argument)?,
                "STOR" => match self.careful {
                    None => self.stor(argument)?,
                    Some(careful) => self.stor_carefully(careful, argument)?,
                },
                "NLST" => self.nlst()?,
                "DELE" => {
                    fs::remove_file(self.path(argument))?;
                    self.say("250 gone\r\n")?;
                }
                "QUIT" => return self.say("221 bye\r\n"),
                _ => self.say("200 yes\r\n")?,
            }
        }
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        match self.control.get_mut() {
            Control::Plain(socket) | Control::Careful(socket) => socket.write_all(reply.as_bytes()),
            Control::Secure(stream) => stream.write_all(reply.as_bytes()),
        }
    }

    /// Shakes hands with the first words that are read.
    fn secure(&mut self) -> io::Result<()> {
        self.say("234 shake\r\n")?;
        let (Control::Plain(socket) | Control::Careful(socket), Some(offer)) = (self.control.get_ref(), self.secure)
        else {
            return Err(ErrorKind::Unsupported.into());
        };
        if self.careful.is_some() {
            socket.set_read_timeout(Some(careful::PATIENCE))?;
        }
        let connection = ServerConnection::new(Arc::clone(offer)).map_err(io::Error::other)?;
        let stream = StreamOwned::new(connection, socket.try_clone()?);
        self.control = BufReader::new(Control::Secure(Box::new(stream)));
        Ok(())
    }

    fn path(&self, argument: &str) -> PathBuf {
        match argument.strip_prefix('/') {
            Some(absolute) => self.root.join(absolute),
            None => self.folder.join(argument),
        }
    }

    /// The port for data connections.
    fn listen(&mut self) -> io::Result<u16> {
        let passive = match self.passive.take() {
            Some(passive) => passive,
            None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        };
        self.passive.insert(passive).local_addr().map(|address| address.port())
    }

    fn begin(&mut self) -> io::Result<TcpStream> {
        self.say("150 go\r\n")?;
        let passive = self.passive.as_ref().ok_or(ErrorKind::NotConnected)?;
        Ok(passive.accept()?.0)
    }

    fn retr(&mut self, argument: &str) -> io::Result<()> {
        let file = File::open(self.path(argument))?;
        let data = self.begin()?;
        let end = loop {
            match sendfile(&data, &file, None, SENT_AT_ONCE) {
                Ok(0) => break "226 sent\r\n",
                Ok(_) => {}
                // Whoever has enough of it says so by closing, and says more afterwards.
                Err(Errno::PIPE | Errno::CONNRESET) => break "426 left\r\n",
                Err(e) => return Err(e.into()),
            }
        };
        drop(data);
        self.say(end)
    }

    /// Beside its name, and then under it, as an upload must be that nobody sees half of.
    fn stor(&mut self, argument: &str) -> io::Result<()> {
        let path = self.path(argument);
        let aside = aside(&path, self.number);
        let mut file = File::create_new(&aside)?;
        let mut data = self.begin()?;
        loop {
            match data.read(self.buffer) {
                Ok(0) => break,
                Ok(count) => file.write_all(&self.buffer[..count])?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        drop(file);
        fs::rename(aside, path)?;
        self.say("226 stored\r\n")
    }

    /// The same with all that gftp promises of it.
    fn stor_carefully(&mut self, careful: &Careful, argument: &str) -> io::Result<()> {
        let (Control::Careful(control), Some(passive)) = (self.control.get_ref(), &self.passive) else {
            return Err(ErrorKind::NotConnected.into());
        };
        let begin = || {
            (&*control).write_all(b"150 go\r\n")?;
            careful::accept(passive)
        };
        let _data = careful.store(argument, self.number, control, begin, self.buffer)?;
        self.say("226 stored\r\n")
    }

    /// In the order in which the kernel has them.
    fn nlst(&mut self) -> io::Result<()> {
        let directory = open(&self.folder, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let mut data = self.begin()?;
        let mut read = Vec::with_capacity(AT_ONCE);
        let mut names = RawDir::new(&directory, read.spare_capacity_mut());
        let mut told = Vec::with_capacity(2 * AT_ONCE);
        while let Some(entry) = names.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                told.extend_from_slice(name);
                told.extend_from_slice(b"\r\n");
            }
            if told.len() >= AT_ONCE {
                data.write_all(&told)?;
                told.clear();
            }
        }
        data.write_all(&told)?;
        drop(data);
        self.say("226 told\r\n")
    }
}

fn pasv(port: u16) -> String {
    let [high, low] = port.to_be_bytes();
    format!("227 (127,0,0,1,{high},{low})\r\n")
}

/// Where an upload lies until it is whole.
fn aside(path: &Path, number: usize) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".aside{number}"));
    path.with_file_name(name)
}
