//! suppaftp, a Rust client: it needs nothing installed, so these tests run on every machine.

use std::fs;
use std::io::{Seek, SeekFrom};
use std::net::TcpStream;
use std::time::Duration;

use suppaftp::types::{FileType, Mode};
use suppaftp::{FtpError, FtpResult, FtpStream};

use super::suite::suite;
use super::{Desk, Driver, Report, Road, Step, make_content};
use crate::server::{PASSWORD, USER};

struct Suppaftp;

/// A silent server fails the test instead of holding it.
const SILENCE: Duration = Duration::from_secs(60);

suite!(Suppaftp; downloads, uploads, resumed_downloads, resumed_uploads, appends, names, directories, roads, refusals);

/// SIZE, MDTM, MLST, FEAT and PWD tell the truth.
#[test]
fn learns_about_files() {
    let Some(desk) = Desk::open(&Suppaftp) else {
        return;
    };
    desk.write_disk("日本 \"q\"", &make_content(47, 12_345));
    let file = fs::File::options()
        .write(true)
        .open(desk.disk("日本 \"q\""))
        .expect("it was just written");
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
        .expect("its time can be set");
    let mut ftp = session(&desk).expect("it logs in");
    assert_eq!(ftp.size("日本 \"q\"").expect("SIZE"), 12_345);
    let time = ftp.mdtm("日本 \"q\"").expect("MDTM");
    assert_eq!(time.to_string(), "2001-09-09 01:46:40");
    let facts = ftp.mlst(Some("日本 \"q\"")).expect("MLST");
    assert!(facts.to_lowercase().contains("size=12345;"), "{facts}");
    assert_eq!(ftp.pwd().expect("PWD"), "/");
    let features = ftp.feat().expect("FEAT");
    for feature in ["UTF8", "SIZE", "MDTM", "MLST", "EPSV", "EPRT"] {
        assert!(
            features.contains_key(feature),
            "{feature} is not in {features:?}"
        );
    }
    ftp.quit().expect("QUIT");
}

impl Driver for Suppaftp {
    fn programs(&self) -> &'static [&'static str] {
        &[]
    }

    fn roads(&self) -> &'static [Road] {
        &[
            Road::Passive,
            Road::Pasv,
            Road::Active,
            Road::PassiveV6,
            Road::ActiveV6,
        ]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let mut text = String::new();
        let done = session(desk).and_then(|mut ftp| {
            for step in steps {
                text += &perform(&mut ftp, desk, step)?;
            }
            ftp.quit()
        });
        if let Err(error) = &done {
            text += &format!("suppaftp: {error}\n");
        }
        Report {
            ok: done.is_ok(),
            text,
        }
    }
}

/// A session with an account, on the desk's road; no socket of it waits for ever.
fn session(desk: &Desk) -> FtpResult<FtpStream> {
    let control = patient(desk.authority().parse().expect("it is an address"))?;
    let mut ftp = FtpStream::connect_with_stream(control)?.passive_stream_builder(patient);
    ftp.set_mode(match desk.road {
        Road::Pasv => Mode::Passive,
        Road::Active | Road::Port | Road::ActiveV6 => Mode::Active,
        Road::Passive | Road::PassiveV6 => Mode::ExtendedPassive,
    });
    ftp.login(USER, PASSWORD)?;
    ftp.transfer_type(FileType::Binary)?;
    Ok(ftp)
}

fn patient(address: std::net::SocketAddr) -> FtpResult<TcpStream> {
    let stream = TcpStream::connect(address).map_err(FtpError::ConnectionError)?;
    let limits = stream
        .set_read_timeout(Some(SILENCE))
        .and_then(|()| stream.set_write_timeout(Some(SILENCE)));
    limits.map_err(FtpError::ConnectionError)?;
    Ok(stream)
}

/// Does one step and tells what there is to tell.
fn perform(ftp: &mut FtpStream, desk: &Desk, step: &Step) -> FtpResult<String> {
    let open = |name| fs::File::open(desk.local(name)).map_err(FtpError::ConnectionError);
    match *step {
        Step::List(folder) => {
            let folder = (!folder.is_empty()).then_some(folder);
            let lines = [ftp.list(folder)?, ftp.nlst(folder)?, ftp.mlsd(folder)?].concat();
            return Ok(lines.join("\n"));
        }
        Step::Get { remote, local } => {
            let content = fetch(ftp, remote)?;
            desk.write_local(local, &content);
        }
        Step::Put { local, remote } => drop(ftp.put_file(remote, &mut open(local)?)?),
        Step::ResumeGet { remote, local } => {
            let mut part = fs::read(desk.local(local)).map_err(FtpError::ConnectionError)?;
            ftp.resume_transfer(part.len())?;
            part.extend(fetch(ftp, remote)?);
            desk.write_local(local, &part);
        }
        Step::ResumePut {
            local,
            remote,
            have,
        } => {
            let mut file = open(local)?;
            file.seek(SeekFrom::Start(have as u64))
                .map_err(FtpError::ConnectionError)?;
            ftp.resume_transfer(have)?;
            ftp.put_file(remote, &mut file)?;
        }
        Step::Append { local, remote } => drop(ftp.append_file(remote, &mut open(local)?)?),
        Step::Rename { from, to } => ftp.rename(from, to)?,
        Step::Delete(path) => ftp.rm(path)?,
        Step::MakeDir(path) => ftp.mkdir(path)?,
        Step::RemoveDir(path) => ftp.rmdir(path)?,
    }
    Ok(String::new())
}

fn fetch(ftp: &mut FtpStream, remote: &str) -> FtpResult<Vec<u8>> {
    ftp.retr(remote, |reader| {
        let mut content = Vec::new();
        reader
            .read_to_end(&mut content)
            .map_err(FtpError::ConnectionError)?;
        Ok(content)
    })
}
