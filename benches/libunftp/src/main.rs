//! libunftp as a server: `PORT ROOT [CERTIFICATE KEY]`, anyone may log in and write.
//!
//! It owns no more than these words: all else is as libunftp has it, but TLS 1.3, which it leaves out unless it is asked.

use std::error::Error;
use std::net::Ipv4Addr;

use libunftp::ServerBuilder;
use libunftp::options::{PassiveHost, TlsFlags};
use unftp_sbe_fs::Filesystem;

/// The ports that clients are given by the script, and so enough for whatever is measured.
const PASSIVE_PORTS: std::ops::RangeInclusive<u16> = 10_000..=65_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, root, secure @ ..] = &words[..] else { return Err("PORT ROOT [CERTIFICATE KEY]".into()) };
    // It is made for each session; that it can be made is seen here.
    Filesystem::new(root)?;
    let root = root.clone();
    let make = move || Filesystem::new(root.clone()).expect("the root is there");
    let mut server = ServerBuilder::new(Box::new(make))
        .passive_host(PassiveHost::Ip(Ipv4Addr::LOCALHOST))
        .passive_ports(PASSIVE_PORTS);
    if let [certificate, key] = secure {
        let flags = TlsFlags::V1_2 | TlsFlags::V1_3 | TlsFlags::RESUMPTION_SESS_ID | TlsFlags::RESUMPTION_TICKETS;
        server = server.ftps(certificate, key).ftps_tls_flags(flags);
    }
    server.build()?.listen(format!("127.0.0.1:{port}")).await?;
    Ok(())
}
