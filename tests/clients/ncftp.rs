//! ncftp and its companions: ncftpget, ncftpput and ncftpls for single errands, ncftp itself for the rest.

use std::fs;

use super::suite::{must, on_disk, suite};
use super::{Client, Desk, Driver, Report, Road, Step, make_content};
use crate::server::{PASSWORD, USER};

struct Ncftp;

suite!(Ncftp; downloads, uploads, resumed_downloads, resumed_uploads, appends, names, directories, roads, refusals);

/// `-R` takes a tree up and brings it home again.
#[test]
fn carries_trees() {
    let Some(desk) = Desk::open(&Ncftp) else {
        return;
    };
    let files = ["tree/top", "tree/a b/two words", "tree/a b/日本/é"];
    fs::create_dir_all(desk.local("tree/a b/日本")).expect("folders can be made");
    fs::create_dir(desk.local("home")).expect("folders can be made");
    for (index, file) in files.iter().enumerate() {
        desk.write_local(file, &make_content(index as u64, 30_000));
    }
    let report = tool(&desk, "ncftpput")
        .args(["-R", &desk.host(), "/", "tree"])
        .run();
    assert!(report.ok, "{}", report.text);
    for (index, file) in files.iter().enumerate() {
        desk.expect_disk(file, &make_content(index as u64, 30_000), &report);
    }
    let report = tool(&desk, "ncftpget")
        .args(["-R", "-T", &desk.host(), "home", "/tree"])
        .run();
    assert!(report.ok, "{}", report.text);
    for (index, file) in files.iter().enumerate() {
        desk.expect_local(
            &format!("home/{file}"),
            &make_content(index as u64, 30_000),
            &report,
        );
    }
}

/// Every form of listing that ncftpls can ask for names what is there.
#[test]
fn lists_in_every_way() {
    let Some(desk) = Desk::open(&Ncftp) else {
        return;
    };
    fs::create_dir(desk.disk("folder")).expect("folders can be made");
    desk.write_disk("folder/in side", b"x");
    desk.write_disk("日本.txt", b"x");
    for form in ["-1", "-l", "-C", "-m", "-la", "-R", "-g", "-gg"] {
        let report = list(&desk, form, "");
        assert!(
            report.ok && report.text.contains("日本.txt"),
            "{form}\n{}",
            report.text
        );
        assert!(report.text.contains("folder"), "{form}\n{}", report.text);
    }
}

/// `-S .tmp` uploads under another name and renames it when all is there.
#[test]
fn uploads_by_way_of_a_temporary_name() {
    let Some(desk) = Desk::open(&Ncftp) else {
        return;
    };
    let content = make_content(41, 400_000);
    desk.write_local("up", &content);
    let report = tool(&desk, "ncftpput")
        .args(["-S", ".tmp", &desk.host(), "/new folder", "up"])
        .args(["-m"])
        .run();
    // Options are read before the host only, so this form must fail: the folder is not there.
    assert!(
        !report.ok && on_disk(&desk, "").is_empty(),
        "{}",
        report.text
    );
    let report = tool(&desk, "ncftpput")
        .args(["-m", "-S", ".tmp", &desk.host(), "/new folder", "up"])
        .run();
    assert!(report.ok, "{}", report.text);
    desk.expect_disk("new folder/up", &content, &report);
    assert_eq!(on_disk(&desk, "new folder").len(), 1, "{}", report.text);
    must(&Ncftp, &desk, &[Step::List("new folder")]);
}

impl Driver for Ncftp {
    fn programs(&self) -> &'static [&'static str] {
        &["ncftp", "ncftpget", "ncftpput", "ncftpls"]
    }

    /// It knows neither IPv6 nor EPSV.
    fn roads(&self) -> &'static [Road] {
        &[Road::Pasv, Road::Port]
    }

    fn perform(&self, desk: &Desk, steps: &[Step]) -> Report {
        let mut all = Report {
            ok: true,
            text: String::new(),
        };
        for step in steps {
            let get = |flag: &str, remote, local| {
                tool(desk, "ncftpget")
                    .args([flag, "-C", &desk.host(), remote, local])
                    .run()
            };
            let put = |flags: &[&str], local, remote: &str| {
                tool(desk, "ncftpput")
                    .args(flags.to_vec())
                    .args(["-C", &desk.host(), local, remote])
                    .run()
            };
            let report = match *step {
                Step::List(folder) => list(desk, "-l", folder),
                Step::Get { remote, local } => get("-Z", remote, local),
                Step::Put { local, remote } => put(&["-Z"], local, remote),
                Step::ResumeGet { remote, local } => {
                    shell(desk, &format!("get -z {} {local}", quoted(remote)))
                }
                Step::ResumePut { local, remote, .. } => {
                    shell(desk, &format!("put -z {local} {}", quoted(remote)))
                }
                Step::Append { local, remote } => put(&["-A"], local, remote),
                Step::Rename { from, to } => {
                    shell(desk, &format!("rename {} {}", quoted(from), quoted(to)))
                }
                Step::Delete(path) => shell(desk, &format!("rm {}", quoted(path))),
                Step::MakeDir(path) => shell(desk, &format!("mkdir {}", quoted(path))),
                Step::RemoveDir(path) => shell(desk, &format!("rmdir {}", quoted(path))),
            };
            all.ok &= report.ok;
            all.text += &report.text;
        }
        all
    }
}

/// One of the companions, quiet, with the account and the road.
fn tool(desk: &Desk, program: &str) -> Client {
    let road = if desk.active() { "-E" } else { "-F" };
    // -r 1: one try. -t: give up on a silent server.
    desk.client(program).args([
        "-r",
        "1",
        "-t",
        "30",
        "-u",
        USER,
        "-p",
        PASSWORD,
        "-P",
        &desk.port(),
        road,
    ])
}

fn list(desk: &Desk, form: &str, folder: &str) -> Report {
    let slash = if folder.is_empty() { "" } else { "/" };
    let url = format!(
        "ftp://{}/{}{slash}",
        desk.host(),
        super::curl::encoded(folder)
    );
    tool(desk, "ncftpls").args([form, &url]).run()
}

/// ncftp with one command. It leaves with 0 whatever happened, so what it prints is the verdict.
fn shell(desk: &Desk, command: &str) -> Report {
    let road = if desk.active() {
        "set passive off\n"
    } else {
        "set passive on\n"
    };
    let script = format!("{road}{command}\nquit\n");
    let report = desk
        .client("ncftp")
        .args([
            "-r",
            "1",
            "-u",
            USER,
            "-p",
            PASSWORD,
            "-P",
            &desk.port(),
            &desk.host(),
        ])
        .script(script)
        .run();
    let failed = [
        "server said:",
        "Usage:",
        "Error:",
        "rror",
        "No such",
        "failed",
    ];
    let ok = report.ok && !failed.iter().any(|word| report.text.contains(word));
    Report { ok, ..report }
}

/// A backslash before every ASCII character that could mean something; `./` in front hides a dash or a tilde.
fn quoted(path: &str) -> String {
    let mut quoted = "./".to_owned();
    for character in path.chars() {
        if character.is_ascii() && !character.is_ascii_alphanumeric() && character != '/' {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}
