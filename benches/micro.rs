//! What single functions cost that every session, line or entry goes through: `cargo bench --bench micro`. It owns inputs as
//! clients send them, and refuses to know what is fast enough: it shows a change what it has done.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use gftp::ftp::data::ascii::{FromNetwork, ToNetwork};
use gftp::ftp::data::coding::{Decoders, Encoders};
use gftp::ftp::wire::address::{epsv_text, parse_eprt, parse_port, pasv_text};
use gftp::ftp::wire::command::{Command, argument_path};
use gftp::ftp::wire::listing::{Kind, Row, long_line};
use gftp::ftp::wire::phrase::{Language, Text};
use gftp::ftp::wire::reply::Reply;
use gftp::store::VirtualPath;
use gftp_plugin::inbox::{Inbox, Taken};

fn main() {
    divan::main();
}

/// What curl sends for one download, and a path with all that is dear.
const LINES: [&[u8]; 7] = [
    b"USER anonymous\r\n",
    b"PASS ftp@example.com\r\n",
    b"CWD pub/releases\r\n",
    b"EPSV\r\n",
    b"TYPE I\r\n",
    b"SIZE a file with a long name, as people have them.tar.gz\r\n",
    b"RETR a file with a long name, as people have them.tar.gz\r\n",
];

/// Bytes as they come from the network, made into lines.
#[divan::bench]
fn lines(bencher: Bencher) {
    let received = LINES.concat();
    bencher.counter(ItemsCount::new(LINES.len())).bench(|| {
        let mut inbox = Inbox::default();
        inbox.extend(black_box(&received));
        let mut taken = 0;
        while let Some(Taken::Line(line)) = inbox.take_line(8192) {
            taken += black_box(line).len();
        }
        taken
    });
}

/// Lines made into verbs, arguments and paths.
#[divan::bench]
fn commands(bencher: Bencher) {
    let directory = VirtualPath::root().join(b"pub/releases").expect("a path");
    bencher.counter(ItemsCount::new(LINES.len())).bench(|| {
        for line in LINES {
            let line = line.strip_suffix(b"\r\n").unwrap_or(line);
            let Ok(command) = Command::parse(black_box(line)) else { continue };
            black_box(directory.join(&argument_path(command.argument.unwrap_or_default()))).ok();
        }
    });
}

#[divan::bench]
fn addresses() {
    black_box(parse_port(black_box(b"192,0,2,17,195,80"))).ok();
    black_box(parse_eprt(black_box(b"|2|2001:db8::17|50000|"))).ok();
    black_box(pasv_text(black_box("192.0.2.17:50000".parse().expect("an address"))));
    black_box(epsv_text(black_box(50000)));
}

/// The reply to a download, in each language.
#[divan::bench(args = ["english", "german"])]
fn reply(bencher: Bencher, language: &str) {
    let language = if language == "german" { Language::German } else { Language::English };
    bencher.bench(|| {
        let mut out = Vec::new();
        let sent = Text::phrase("Sent {} bytes.", vec![Text::from(black_box(1_234_567_u64))]);
        Reply::new(226, sent).write(language, &mut out);
        out
    });
}

/// A line of LIST.
#[divan::bench]
fn long_lines(bencher: Bencher) {
    let row = Row {
        kind: Kind::File,
        permissions: 0o644,
        links: 1,
        owner: "ftp",
        group: "ftp",
        size: 123_456_789,
        modified: 1_795_000_000,
        name: b"a file with a long name, as people have them.tar.gz",
        target: None,
    };
    let mut out = Vec::with_capacity(1024);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        out.clear();
        long_line(black_box(&row), 1_795_600_000, &mut out);
        out.len()
    });
}

/// A text of 64 KiB with lines of 36 bytes: TYPE A, out and in.
fn text(end: &str) -> Vec<u8> {
    format!("what comes in pieces stays in order{end}").repeat(64 * 1024 / 36).into_bytes()
}

#[divan::bench]
fn text_out(bencher: Bencher) {
    let text = text("\n");
    bencher
        .counter(BytesCount::of_slice(&text))
        .with_inputs(|| text.clone())
        .bench_values(|text| Encoders::default().then(ToNetwork::default()).encode(text, true));
}

#[divan::bench]
fn text_in(bencher: Bencher) {
    let text = text("\r\n");
    bencher.counter(BytesCount::of_slice(&text)).bench(|| {
        let mut decoders = Decoders::default().then(FromNetwork::default());
        decoders.step(black_box(&text), true).map(|step| step.made.len())
    });
}
