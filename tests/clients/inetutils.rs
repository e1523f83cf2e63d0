//! GNU inetutils' ftp: the same tongue as tnftp, other habits (PASV first, PORT and EPRT by address family).

use super::suite::suite;
use super::tnftp::{judged, script_for};
use super::{Desk, Driver, Report, Road, Step};

struct Inetutils;

suite!(Inetutils; downloads, uploads, resumed_downloads, resumed_uploads, appends, names, directories, roads, refusals);

impl Driver for Inetutils {
    fn programs(&self) -> &'static [&'static str] {
        &["inetutils-ftp"]
    }

    fn roads(&self) -> &'static [Road] {
        &[Road::Passive, Road::Active, Road::PassiveV6, Road::ActiveV6]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let mode = if desk.active() { "-A" } else { "-p" };
        let report = desk
            .client("inetutils-ftp")
            .args(["-n", "-i", "-v", mode, &desk.host(), &desk.port()])
            .script(script_for(steps))
            .run();
        judged(report)
    }
}
