//! A program that is asked about logins: what it may do well, and everything that it may do badly. A failure is never a login,
//! and never costs more than its time.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use program::{Program, ProgramOptions};

/// What a script answers with: the number of its question, which is the first thing in it.
const NUMBER: &str = "id=${line#*:}; id=${id%%,*}\n";

/// A folder with a shell script, in which `line` is the question; `$0.log` is a file of its own.
struct Script(TempDir);

impl Script {
    /// One that does this for each line.
    fn each(body: &str) -> Script {
        Script::whole(&format!("while read -r line; do {NUMBER}{body}\ndone\n"))
    }

    fn whole(body: &str) -> Script {
        let folder = TempDir::new().unwrap();
        // Written by a process of its own: a descriptor that other tests' processes inherit would keep it from being run.
        let mut shell = Command::new("sh");
        shell.args(["-c", "cat > \"$1\" && chmod +x \"$1\"", "sh"]).arg(folder.path().join("auth.sh"));
        let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{body}").as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        Script(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("auth.sh")
    }

    /// What it has written to its file.
    fn log(&self) -> String {
        std::fs::read_to_string(self.0.path().join("auth.sh.log")).unwrap_or_default()
    }

    fn accounts(&self, timeout: u64, processes: usize) -> Accounts {
        let options = ProgramOptions { path: self.path(), timeout: Duration::from_millis(timeout), processes };
        let users = vec![user("bob", secret("his"))];
        Accounts::new(Anonymous::Off, users, 2).and(Some(Beyond::Program(Program::new(options).unwrap())))
    }
}

fn why(verdict: Verdict) -> String {
    let Verdict::Wrong(Some(why)) = verdict else { panic!("{verdict:?}") };
    why
}

const ALLOW: &str = "echo \"{\\\"id\\\": $id, \\\"allow\\\": true, \\\"rights\\\": \\\"full\\\"}\"";

#[test]
fn a_program_lets_in_and_keeps_out() {
    let script = Script::each(
        "echo \"$line\" >> \"$0.log\"\ncase $line in\n\
         *'\"password\":\"hers\"'*'\"user\":\"alice\"'*) echo \"{\\\"id\\\": $id, \\\"allow\\\": true, \\\"home\\\": \\\"/alice\\\", \
         \\\"rights\\\": [\\\"list\\\", \\\"read\\\"], \\\"sessions\\\": 1, \\\"upload\\\": \\\"1 MB/s\\\"}\";;\n\
         *'\"user\":\"old\"'*) echo \"{\\\"id\\\": $id, \\\"allow\\\": true, \\\"rights\\\": \\\"full\\\", \\\"expires\\\": \\\"2020-02-02\\\"}\";;\n\
         *'\"user\":\"far\"'*) echo \"{\\\"id\\\": $id, \\\"allow\\\": true, \\\"rights\\\": \\\"full\\\", \\\"networks\\\": [\\\"198.51.100.0/24\\\"]}\";;\n\
         *) echo \"{\\\"id\\\": $id, \\\"allow\\\": false, \\\"reason\\\": \\\"not in the shop\\\"}\";;\nesac",
    );
    let accounts = script.accounts(10_000, 2);
    assert!(accounts.describe().starts_with("bob (reading and writing) and whom /"), "{}", accounts.describe());
    let Verdict::In(visitor) = admit(&accounts, "alice", "hers") else { panic!("not let in") };
    assert_eq!((visitor.home.to_string().as_str(), visitor.rules.rights()), ("/alice", Rights::READ_ONLY));
    assert_eq!(visitor.rate.upload.map(NonZeroU64::get), Some(1_000_000));
    let stay = visitor.stay.unwrap();
    assert_eq!(accounts.ended(&stay), None);
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::Full(1)));
    drop(stay);
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::In(_)));
    assert_eq!(why(admit(&accounts, "alice", "his")), "not in the shop");
    assert!(why(admit(&accounts, "old", "x")).contains("expired (2020-02-02)"));
    assert!(why(admit(&accounts, "far", "x")).contains("networks"));
    // The file goes first, and what it knows nobody else is asked about.
    let asked = script.log();
    assert!(matches!(admit(&accounts, "bob", "his"), Verdict::In(_)));
    assert!(matches!(admit(&accounts, "bob", "hers"), Verdict::Wrong(None)));
    // Nor about what no account can have.
    for (name, password) in [(&b"alice"[..], &b""[..]), (b"a\xff", b"x"), (b"alice", b"\xff"), (b"a\x07b", b"x")] {
        let verdict = rt::block_on(accounts.admit(name, Password::new(password), &from(HERE)));
        assert!(!why(verdict).is_empty());
    }
    assert_eq!(script.log(), asked);
    let first = asked.lines().next().unwrap();
    let expected = r#"{"id":1,"local":"192.0.2.254","local_port":21,"password":"hers","peer":"192.0.2.1","peer_port":50000,"service":"ftp","tls":false,"user":"alice"}"#;
    assert_eq!(first, expected);
}

#[test]
fn a_program_that_fails_is_never_a_login_and_comes_back() {
    for (name, body) in [
        ("late", "sleep 60"),
        ("silent", "exec 1>&-; sleep 60"),
        ("deaf", "exit 3"),
        ("nonsense", "echo yes"),
        ("no number", "echo '{\"allow\": true, \"rights\": \"full\"}'"),
        ("another number", "echo \"{\\\"id\\\": 9$id, \\\"allow\\\": true, \\\"rights\\\": \\\"full\\\"}\""),
        ("twice", &format!("twice=$({ALLOW}); printf '%s\\n%s\\n' \"$twice\" \"$twice\"")),
        ("half a line", &format!("{ALLOW} | tr -d '\\n'; sleep 60")),
        ("half a line and gone", &format!("{ALLOW} | tr -d '\\n'; exit 0")),
        ("endless", "while :; do echo -n xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"),
        ("a missing right", "echo \"{\\\"id\\\": $id, \\\"allow\\\": true}\""),
    ] {
        // It fails for the first question, and is mended then.
        let script = Script::each(&format!("if [ ! -e \"$0.log\" ]; then touch \"$0.log\"; {body}; else {ALLOW}; fi"));
        let accounts = script.accounts(3_000, 1);
        let began = Instant::now();
        let verdict = admit(&accounts, "alice", "hers");
        assert!(matches!(verdict, Verdict::Failed), "{name}: {verdict:?}");
        assert!(began.elapsed() < Duration::from_secs(15), "{name} takes {:?}", began.elapsed());
        let verdict = admit(&accounts, "alice", "hers");
        assert!(matches!(verdict, Verdict::In(_)), "{name}: {verdict:?}");
    }
    let nothing = Script::whole("exit 0");
    let accounts = nothing.accounts(3_000, 1);
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::Failed));
    let missing = nothing.path();
    let options = |path| ProgramOptions { path, timeout: Duration::from_secs(1), processes: 1 };
    drop(nothing);
    assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::Failed), "the file has gone");
    assert!(Program::new(options(missing)).is_err_and(|e| e.contains("no such program")));
}

/// One who answers when he is no longer asked lets nobody in: neither whom he was asked about nor the next.
#[test]
fn a_late_answer_lets_nobody_in() {
    let script = Script::each(&format!(
        "case $line in *'\"user\":\"slow\"'*) sleep 0.6; {ALLOW};; \
         *) echo \"{{\\\"id\\\": $id, \\\"allow\\\": false}}\";; esac"
    ));
    let accounts = script.accounts(400, 1);
    assert!(matches!(admit(&accounts, "slow", "x"), Verdict::Failed));
    for _ in 0..10 {
        let verdict = admit(&accounts, "other", "x");
        // On a slow machine the script may be late with its no as well.
        assert!(matches!(verdict, Verdict::Wrong(_) | Verdict::Failed), "{verdict:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    // One that speaks behind its answer is found out before it is asked again.
    let script = Script::each(&format!(
        "echo \"{{\\\"id\\\": $id, \\\"allow\\\": false}}\"; sleep 0.1; id=$((id + 1)); {ALLOW}"
    ));
    let accounts = script.accounts(5_000, 1);
    assert!(matches!(admit(&accounts, "first", "x"), Verdict::Wrong(_)));
    std::thread::sleep(Duration::from_millis(500));
    let verdict = admit(&accounts, "second", "x");
    assert!(matches!(verdict, Verdict::Failed), "{verdict:?}");
}

#[test]
fn a_script_that_answers_once_and_exits_is_no_failure() {
    let script = Script::whole(&format!("read -r line || exit 0\n{NUMBER}{ALLOW}"));
    let accounts = script.accounts(10_000, 1);
    for number in 0..5 {
        let verdict = admit(&accounts, "alice", "hers");
        assert!(matches!(verdict, Verdict::In(_)), "{number}: {verdict:?}");
    }
}

/// However many log in, a program that dies is not started more than it may be.
#[test]
fn a_program_that_dies_is_not_started_without_end() {
    let script = Script::whole("echo x >> \"$0.log\"; exit 1");
    let accounts = Arc::new(script.accounts(2_000, 2));
    let began = Instant::now();
    let mut logins = 0;
    while began.elapsed() < Duration::from_secs(2) {
        assert!(matches!(admit(&accounts, "alice", "hers"), Verdict::Failed | Verdict::Busy));
        logins += 1;
    }
    let starts = script.log().lines().count();
    // 0.1, 0.2, 0.4, 0.8 s of rest and so on, in two places.
    assert!((2..=14).contains(&starts), "{starts} starts for {logins} logins in two seconds");
}

#[test]
fn processes_are_asked_at_once_and_addresses_in_turn() {
    let script = Script::each(&format!("sleep 0.2; {ALLOW}"));
    let accounts = Arc::new(script.accounts(10_000, 2));
    let ask = |name: String, ip: u8| {
        let accounts = Arc::clone(&accounts);
        rt::spawn(async move { accounts.admit(name.as_bytes(), Password::new("x"), &from([192, 0, 2, ip])).await })
    };
    let began = Instant::now();
    let flood: Vec<_> = (0..10).map(|number| ask(format!("u{number}"), 1)).collect();
    let honest = ask("honest".to_string(), 2);
    assert!(matches!(rt::block_on(honest), Verdict::In(_)));
    let honest = began.elapsed();
    for login in flood {
        assert!(matches!(rt::block_on(login), Verdict::In(_)));
    }
    let all = began.elapsed();
    assert!(honest < all, "an honest login waited {honest:?} of {all:?}");
    assert!(all < Duration::from_millis(11 * 200 + 200 * 4), "one after the other: {all:?}");
}

/// Dropped, or at the end of the server, nothing of it is left.
#[test]
fn nothing_is_left_of_a_program() {
    let script = Script::each("echo $$ >> \"$0.log\"; sleep 60 & echo $! >> \"$0.log\"; sleep 60");
    let accounts = Arc::new(script.accounts(60_000, 1));
    let asking = rt::spawn({
        let accounts = Arc::clone(&accounts);
        async move { accounts.admit(b"alice", Password::new("x"), &from(HERE)).await }
    });
    while script.log().lines().count() < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    accounts.end();
    assert!(matches!(rt::block_on(asking), Verdict::Failed | Verdict::Busy));
    let is_there = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    // What it has started is not ours to wait for, and what is killed takes a moment to die.
    let deadline = Instant::now() + Duration::from_secs(10);
    for pid in script.log().lines() {
        while is_there(pid) {
            assert!(Instant::now() < deadline, "{pid} is left");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_password_with_everything_in_it_arrives_as_it_is() {
    let script = Script::each(&format!("echo \"$line\" >> \"$0.log\"; {ALLOW}"));
    let accounts = script.accounts(10_000, 1);
    let password = "\"'\\ ü日\u{1}\n$(reboot)`".repeat(300);
    assert!(matches!(admit(&accounts, "alice", &password), Verdict::In(_)));
    // `echo` of some shells reads escapes, so what came is looked at as long as it is.
    assert!(script.log().len() > password.len());
}
