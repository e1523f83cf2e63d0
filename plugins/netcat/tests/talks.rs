//! `gftp netcat` over real sockets, with pipes, files and sockets in the places of standard input and output.

use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Seek, SeekFrom, Write, pipe};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::FromArgMatches;
use gftp_netcat::{Options, plugin, run};
use gftp_plugin::rt;
use rustix::io::ioctl_fionbio;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than all the buffers between two ends hold.
const MUCH: usize = 8 << 20;

/// A server for one connection.
fn server<T: Send + 'static>(talk: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (address, thread::spawn(move || talk(listener.accept().unwrap().0)))
}

/// A netcat at work: how it ended, and what it told.
struct Netcat(Receiver<(Result<ExitCode, String>, String)>);

fn netcat(words: &[&str], input: impl Into<OwnedFd>, output: impl Into<OwnedFd>) -> Netcat {
    let matches = plugin().command().no_binary_name(true).try_get_matches_from(words).unwrap();
    let options = Options::from_arg_matches(&matches).unwrap();
    let (input, output, (tell, told)) = (input.into(), output.into(), channel());
    thread::spawn(move || {
        let mut said = Vec::new();
        let end = rt::block_on(run(options, input, output, &mut said));
        tell.send((end, String::from_utf8(said).unwrap()))
    });
    Netcat(told)
}

impl Netcat {
    fn end(&self) -> (Result<ExitCode, String>, String) {
        self.0.recv_timeout(PATIENCE).expect("netcat ends")
    }

    fn ends_well(&self) {
        assert_eq!(self.end().0, Ok(ExitCode::SUCCESS));
    }

    fn has_ended(&self) -> bool {
        self.0.try_recv().is_ok()
    }
}

fn random(length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect()
}

fn all_of(mut from: impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    from.read_to_end(&mut all).unwrap();
    all
}

/// Writes `bytes` beside the test and closes.
fn feed(mut to: PipeWriter, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
    thread::spawn(move || to.write_all(&bytes))
}

/// A server that reads all there is while it sends `answer`; what it read.
fn both_ways(answer: Vec<u8>) -> (String, JoinHandle<Vec<u8>>) {
    server(move |mut stream| {
        let reader = stream.try_clone().unwrap();
        let reading = thread::spawn(move || all_of(reader));
        stream.write_all(&answer).unwrap();
        let read = reading.join().unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        read
    })
}

#[test]
fn random_bytes_both_ways_at_once_through_pipes() {
    let (there, back) = (random(MUCH), random(MUCH));
    let (address, reading) = both_ways(back.clone());
    let ((input, writer), (reader, output)) = (pipe().unwrap(), pipe().unwrap());
    let netcat = netcat(&[&address], input, output);
    feed(writer, there.clone());
    assert!(all_of(reader) == back);
    assert!(reading.join().unwrap() == there);
    netcat.ends_well();
}

/// No road of the kernel's leads from a socket into a socket.
#[test]
fn random_bytes_both_ways_at_once_by_hand() {
    let (there, back) = (random(MUCH), random(MUCH));
    let (address, reading) = both_ways(back.clone());
    let ((input, mut writer), (mut reader, output)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let netcat = netcat(&[&address], input, output);
    let sent = there.clone();
    thread::spawn(move || writer.write_all(&sent).unwrap());
    assert!(all_of(&mut reader) == back);
    assert!(reading.join().unwrap() == there);
    netcat.ends_well();
}

/// Other processes may have set a pipe so, and it is the same pipe.
#[test]
fn pipes_that_do_not_block() {
    let (there, back) = (random(MUCH), random(MUCH));
    let (address, reading) = both_ways(back.clone());
    let ((input, writer), (reader, output)) = (pipe().unwrap(), pipe().unwrap());
    ioctl_fionbio(&input, true).unwrap();
    ioctl_fionbio(&output, true).unwrap();
    let netcat = netcat(&[&address], input, output);
    feed(writer, there.clone());
    assert!(all_of(reader) == back);
    assert!(reading.join().unwrap() == there);
    netcat.ends_well();
}

#[test]
fn a_file_is_sent_from_where_it_stands_and_one_is_written() {
    let content = random(MUCH);
    let (mut input, output) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    input.write_all(&content).unwrap();
    input.seek(SeekFrom::Start(1000)).unwrap();
    let (address, reading) = both_ways(content.clone());
    let mut written = output.try_clone().unwrap();
    netcat(&[&address], input, output).ends_well();
    assert!(reading.join().unwrap() == content[1000..]);
    written.rewind().unwrap();
    assert!(all_of(written) == content);
}

#[test]
fn a_file_that_the_kernel_does_not_send_is_sent_by_hand() {
    let (address, reading) = both_ways(Vec::new());
    let (_reader, output) = pipe().unwrap();
    netcat(&[&address], File::open("/proc/self/limits").unwrap(), output).ends_well();
    assert!(reading.join().unwrap().starts_with(b"Limit"));
}

/// What has come is passed on, however little, and nobody waits for more.
#[test]
fn each_word_is_passed_on_at_once() {
    let (address, _) = server(|stream| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            (&stream).write_all(std::mem::take(&mut line).as_bytes()).unwrap();
        }
    });
    let ((input, mut writer), (reader, output)) = (pipe().unwrap(), pipe().unwrap());
    let netcat = netcat(&["--verbose", &address], input, output);
    let mut reader = BufReader::new(reader);
    for number in 0..1000 {
        writeln!(writer, "{number}").unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{number}\n"));
    }
    drop(writer);
    assert_eq!(netcat.end(), (Ok(ExitCode::SUCCESS), format!("connected to {address}\ndone\n")));
}

/// The textbook's third client: what is still owed at the end of input is printed.
#[test]
fn the_last_echoes_are_received_after_the_end_of_input() {
    let (address, _) = server(|mut stream| {
        let all = all_of(&stream);
        stream.write_all(&all).unwrap();
    });
    let ((input, writer), (reader, output)) = (pipe().unwrap(), pipe().unwrap());
    let netcat = netcat(&[&address], input, output);
    feed(writer, b"Hello?\nYooo-hooo!\n".to_vec());
    assert_eq!(all_of(reader), b"Hello?\nYooo-hooo!\n");
    netcat.ends_well();
}

/// The second: the end of input is the end, also while the server has more to say.
#[test]
fn no_wait_ends_with_the_input() {
    let (hold, held) = channel::<()>();
    let (address, heard) = server(move |stream| {
        let heard = all_of(stream.try_clone().unwrap());
        let _ = held.recv();
        heard
    });
    let ((input, writer), (_reader, output)) = (pipe().unwrap(), pipe().unwrap());
    let netcat = netcat(&["--no-wait", &address], input, output);
    feed(writer, b"Hello?\n".to_vec());
    netcat.ends_well();
    drop(hold);
    assert_eq!(heard.join().unwrap(), b"Hello?\n");
}

/// The first: input is not even looked at.
#[test]
fn read_only_leaves_the_input_alone() {
    let (address, _) = server(|mut stream| stream.write_all(b"09:00:01\n").unwrap());
    let ((mut input, mut writer), (reader, output)) = (pipe().unwrap(), pipe().unwrap());
    writer.write_all(b"mine").unwrap();
    netcat(&["--read-only", &address], input.try_clone().unwrap(), output).ends_well();
    assert_eq!(all_of(reader), b"09:00:01\n");
    let mut mine = [0; 4];
    input.read_exact(&mut mine).unwrap();
    assert_eq!(&mine, b"mine");
}

/// A server that has nothing more to say may still be listening.
#[test]
fn what_comes_from_a_pipe_is_sent_after_the_server_has_closed_its_side() {
    let (address, reading) = server(|stream| {
        stream.shutdown(Shutdown::Write).unwrap();
        all_of(stream)
    });
    let ((input, mut writer), (reader, output)) = (pipe().unwrap(), pipe().unwrap());
    let netcat = netcat(&[&address], input, output);
    // Its end has come through, but for the thread that returns from it.
    assert_eq!(all_of(reader), b"");
    let content = random(MUCH);
    writer.write_all(&content).unwrap();
    assert!(!netcat.has_ended());
    drop(writer);
    netcat.ends_well();
    assert!(reading.join().unwrap() == content);
}

#[test]
fn a_reader_who_leaves_is_the_end_also_while_nothing_comes() {
    let (hold, held) = channel::<()>();
    let (address, _) = server(move |_stream| held.recv());
    let ((input, _writer), (reader, output)) = (pipe().unwrap(), pipe().unwrap());
    let netcat = netcat(&["-v", &address], input, output);
    drop::<PipeReader>(reader);
    netcat.ends_well();
    drop(hold);
}

#[test]
fn a_reader_who_leaves_a_flood_is_the_end() {
    let (address, _) = server(|mut stream| while stream.write_all(&[b'y'; 4096]).is_ok() {});
    let ((input, _writer), (mut reader, output)) = (pipe().unwrap(), pipe().unwrap());
    let netcat = netcat(&[&address], input, output);
    reader.read_exact(&mut [0; 100]).unwrap();
    drop(reader);
    netcat.ends_well();
}

/// A connection that breaks is an error, whoever notices it first.
#[test]
fn a_reset_is_one_line() {
    for is_sending in [false, true] {
        let (go_on, may_go_on) = channel();
        let (address, _) = server(move |mut stream| {
            stream.write_all(b"before").unwrap();
            may_go_on.recv().unwrap();
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        });
        let ((input, writer), (mut reader, output)) = (pipe().unwrap(), pipe().unwrap());
        let netcat = netcat(&["-v", &address], input, output);
        let (idle, feeding) = if is_sending { (None, Some(feed(writer, random(MUCH)))) } else { (Some(writer), None) };
        let mut came = [0; 6];
        reader.read_exact(&mut came).unwrap();
        go_on.send(()).unwrap();
        let (end, told) = netcat.end();
        assert_eq!(end, Err(format!("{address}: connection reset")));
        assert_eq!(told, format!("connected to {address}\n"));
        drop((idle, feeding));
    }
}

#[test]
fn what_cannot_be_had_is_one_line() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let null = || File::open("/dev/null").unwrap();
    let end = |words: &[&str]| netcat(words, null(), null()).end().0.unwrap_err();
    assert_eq!(end(&[&gone]), format!("{gone}: connection refused"));
    // A part of a name has at most 63 letters, so nobody need be asked about this one.
    let unknown = "a".repeat(64);
    assert!(end(&[&unknown, "80"]).starts_with(&format!("{unknown}:80: ")));
    assert!(end(&["localhost"]).contains("HOST:PORT"));
}

#[test]
fn an_output_that_is_full_and_an_input_that_is_none_are_said() {
    let (address, _) = server(|mut stream| stream.write_all(b"09:00:01\n"));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (input, _writer) = pipe().unwrap();
    assert_eq!(netcat(&[&address], input, full).end().0, Err("standard output: no space left on device".to_string()));
    let (hold, held) = channel::<()>();
    let (address, _) = server(move |_stream| held.recv());
    let (_reader, output) = pipe().unwrap();
    let end = netcat(&[&address], File::open("/").unwrap(), output.as_fd().try_clone_to_owned().unwrap()).end().0;
    assert_eq!(end, Err("standard input: is a directory".to_string()));
    drop(hold);
}
