//! The clients in a real terminal, tmux's, which is asked what stands on it. Nothing is slept for: each look is repeated
//! until it shows what is awaited, or a deadline has passed.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::abuse::eventually;
use crate::clients::present;
use crate::server::program;

use super::{says, three_clocks};

/// A shell in a terminal of its own. Dropped, the terminal and all in it is gone.
struct Terminal {
    /// Where tmux has its socket: of this test alone.
    folder: TempDir,
}

impl Terminal {
    fn new(columns: usize, lines: usize) -> Terminal {
        let terminal = Terminal { folder: TempDir::new().expect("a temporary folder") };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        // A shell that shows nothing but its prompt.
        let shell = ["env", "PS1=ready> ", "LC_ALL=C.UTF-8", "sh"];
        let size = ["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines];
        terminal.tmux(&[&size[..], &shell[..]].concat());
        terminal.awaits("a prompt", |screen| screen.starts_with("ready>"));
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-L", "gftp"]).args(arguments).env("TMUX_TMPDIR", self.folder.path()).env_remove("TMUX");
        let output = tmux.stdin(Stdio::null()).output().expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a command of gftp's; its words are nothing to a shell.
    fn run(&self, words: &str) {
        self.run_by("", words);
    }

    /// The same, started by another program.
    fn run_by(&self, starter: &str, words: &str) {
        let mut line = OsString::from(format!("clear; {starter} "));
        line.push(program());
        line.push(format!(" {words}"));
        self.tmux(&["send-keys", "-l", line.to_str().expect("a path that is text")]);
        self.press("Enter");
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// A screen that is as awaited.
    fn awaits(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        eventually(what, || {
            screen = self.screen();
            is_so(&screen)
        });
        screen
    }

    fn cursor_is_visible(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim() == "1"
    }

    /// That whatever is typed now is seen, and carried out by the shell.
    fn works(&self) {
        eventually("the cursor is there", || self.cursor_is_visible());
        self.tmux(&["send-keys", "-l", "echo $((6*7)) again"]);
        self.awaits("what is typed is seen", |screen| screen.contains("ready> echo $((6*7)) again"));
        self.press("Enter");
        self.awaits("it is carried out", |screen| screen.contains("42 again\nready>"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// The time in the line of a table that begins with this name.
fn time_of<'a>(screen: &'a str, name: &str) -> Option<&'a str> {
    screen.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()).filter(|time| time.contains(':'))
}

fn names(screen: &str) -> Vec<&str> {
    screen.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

const ALL: [&str; 3] = ["NewYork", "Tokyo", "London"];

#[test]
fn the_wall_is_redrawn_in_place_and_left_readable() {
    if !present(&["tmux"]) {
        return;
    }
    let (mut clocks, words) = three_clocks();
    let terminal = Terminal::new(70, 10);
    terminal.run(&["clockwall", &words.join(" ")].join(" "));
    let all_tell = |screen: &str| ALL.iter().all(|name| time_of(screen, name).is_some());
    let first = terminal.awaits("three times", all_tell);
    assert_eq!(names(&first), ALL, "{first}");
    assert!(!terminal.cursor_is_visible());
    let second = terminal.awaits("three later times", |screen| {
        all_tell(screen) && ALL.iter().all(|name| time_of(screen, name) != time_of(&first, name))
    });
    assert_eq!(names(&second), ALL, "in the same rows:\n{second}");

    // What is typed meanwhile is not seen and moves nothing.
    terminal.tmux(&["send-keys", "-l", "xyz"]);
    terminal.press("Enter");
    drop(clocks.remove(1));
    let dead = terminal.awaits("the dead one shows", |screen| screen.contains("refused by"));
    assert!(dead.contains("stale, again in") && names(&dead) == ALL, "{dead}");
    terminal.awaits("the others go on", |screen| time_of(screen, "London") != time_of(&dead, "London"));

    // Narrower: each row is cut, and none wraps or is left behind.
    terminal.tmux(&["resize-window", "-x", "30", "-y", "10"]);
    let narrow = terminal.awaits("rows are cut", |screen| screen.contains('…'));
    assert_eq!(names(&narrow), ALL, "{narrow}");
    terminal.tmux(&["resize-window", "-x", "70", "-y", "2"]);
    terminal.awaits("there is room for one row", |screen| screen.contains("NewYork") && screen.contains("and 2 more"));
    terminal.tmux(&["resize-window", "-x", "70", "-y", "10"]);
    terminal.awaits("there is room again", |screen| screen.contains("London"));

    terminal.press("C-c");
    terminal.awaits("a prompt below the last table", |screen| {
        let lines: Vec<_> = screen.lines().filter(|line| !line.is_empty()).collect();
        matches!(lines[..], [.., london, prompt] if london.starts_with("London") && prompt.starts_with("ready>"))
    });
    terminal.works();
    assert!(terminal.screen().contains("Tokyo"), "the last table is still there");
}

#[test]
fn a_wall_that_is_stopped_gives_the_terminal_back_meanwhile() {
    if !present(&["tmux"]) {
        return;
    }
    let (_clocks, words) = three_clocks();
    let terminal = Terminal::new(70, 20);
    terminal.run(&["clockwall", &words.join(" ")].join(" "));
    terminal.awaits("a table", |screen| time_of(screen, "London").is_some());
    terminal.press("C-z");
    terminal.awaits("a prompt", |screen| screen.contains("ready>"));
    terminal.works();
    terminal.tmux(&["send-keys", "-l", "clear; fg"]);
    terminal.press("Enter");
    terminal.awaits("a table again", |screen| !screen.contains("ready>") && time_of(screen, "London").is_some());
    assert!(!terminal.cursor_is_visible());
    terminal.press("C-c");
    terminal.works();
}

#[test]
fn a_wall_that_is_told_to_end_leaves_the_terminal_as_it_was() {
    if !present(&["tmux"]) {
        return;
    }
    let (_clocks, words) = three_clocks();
    let terminal = Terminal::new(70, 20);
    terminal.run_by("timeout --foreground -s TERM 2", &["clockwall", &words.join(" ")].join(" "));
    terminal
        .awaits("a table and then a prompt", |screen| time_of(screen, "London").is_some() && screen.contains("ready>"));
    terminal.works();
}

/// Whoever sits there would have to press Enter only to learn that it is over.
#[test]
fn netcat_in_a_terminal_ends_when_the_server_does() {
    if !present(&["tmux"]) {
        return;
    }
    let terminal = Terminal::new(70, 10);
    let (address, talking) = says(b"Goodbye.\n");
    terminal.run(&format!("netcat -v {address}"));
    drop(talking.join());
    let screen = terminal.awaits("it is done", |screen| screen.contains("done\nready>"));
    assert!(screen.starts_with(&format!("connected to {address}\nGoodbye.\ndone\n")), "{screen}");
    terminal.works();
}

#[test]
fn netcat_in_a_terminal_sends_lines_and_leaves_on_ctrl_c() {
    if !present(&["tmux"]) {
        return;
    }
    let terminal = Terminal::new(70, 10);
    let (address, talking) = says(b"Hello?\n");
    terminal.run(&format!("netcat {address}"));
    terminal.awaits("what the server says", |screen| screen.contains("Hello?"));
    terminal.tmux(&["send-keys", "-l", "Here."]);
    terminal.press("Enter");
    let mut stream = talking.join().unwrap();
    let mut heard = [0; 6];
    std::io::Read::read_exact(&mut stream, &mut heard).unwrap();
    assert_eq!(&heard, b"Here.\n");
    terminal.press("C-c");
    terminal.awaits("a prompt", |screen| screen.contains("Hello?\nHere.\n^C\nready>"));
    terminal.works();
}
