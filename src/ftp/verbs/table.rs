//! Every verb, once: its name, argument, when it may be used, what it does, where it is specified, its FEAT line and
//! its handler. HELP, FEAT, the login check and the README's table of commands are made from this and nothing else.

use futures::future::BoxFuture;

use super::super::answer::Outcome;
use super::super::session::Session;
use super::super::wire::command::MAX_VERB;
use super::super::wire::printable::printable;
use super::{browse, change, digest, facts, introduce, login, mdtm, room, secure, settings, site, transfer, tree};

/// What a verb wants behind it; the text is how HELP shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing may follow.
    None,
    /// Something may follow.
    Optional(&'static str),
    /// Something must follow.
    Required(&'static str),
}

/// When a verb may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Also by a stranger.
    Always,
    /// After a login.
    LoggedIn,
}

type Handler = for<'a> fn(&'a mut Session, Option<&'a [u8]>) -> BoxFuture<'a, Outcome>;

/// One row.
pub struct Verb {
    /// In upper case.
    pub name: &'static str,
    /// What follows it.
    pub argument: Argument,
    /// Who may use it.
    pub when: When,
    /// What it does, in a line.
    pub help: &'static str,
    /// Where it is specified.
    pub rfc: &'static str,
    /// Its line in FEAT (RFC 2389 §3.2), if it has one.
    pub feat: Option<&'static str>,
    /// Whether a REST or RANG before it is still good behind it.
    pub takes_restart: bool,
    /// The right it needs, in the words of accounts: "list or read" wants one of them, "read and write" both. Empty: none.
    /// The store checks it; what stands here tells users, and the tests, which hold every verb to it.
    pub needs: &'static str,
    /// Whether its refusal is worth a line in the log, as its transfer or deletion would be.
    pub logged: bool,
    /// What answers it.
    pub run: Handler,
}

/// A row whose REST is lost, that has no FEAT line and needs no right, as most.
macro_rules! verb {
    ($name:literal, $argument:expr, $when:ident, $rfc:literal, $run:path, $help:literal $(, $key:ident = $value:expr)*) => {
        Verb {
            $($key: $value,)*
            ..Verb {
                name: $name,
                argument: $argument,
                when: When::$when,
                help: $help,
                rfc: $rfc,
                feat: None,
                takes_restart: false,
                needs: "",
                logged: false,
                run: |session, argument| Box::pin($run(session, argument)),
            }
        }
    };
}

use Argument::{None as Bare, Optional as May, Required as Must};

/// The table.
#[rustfmt::skip]
pub static VERBS: &[Verb] = &[
    // Access (RFC 959 §4.1.1)
    verb!("USER", Must("<name>"), Always, "RFC 959", login::user, "Begin a login: who you are"),
    verb!("PASS", May("[<password>]"), Always, "RFC 959", login::pass, "Finish a login"),
    verb!("ACCT", Must("<account>"), Always, "RFC 959", login::acct, "Accepted, not needed"),
    verb!("REIN", Bare, Always, "RFC 959", login::rein, "Start the session anew"),
    verb!("QUIT", Bare, Always, "RFC 959", login::quit, "Say goodbye; a running transfer ends first"),
    verb!("HOST", Must("<name>"), Always, "RFC 7151", introduce::host, "Before USER: which of its names you know the server by", feat = Some("HOST")),
    verb!("AUTH", Must("<TLS>"), Always, "RFC 2228, RFC 4217", secure::auth, "Speak TLS from now on; whoever was logged in is not any more", feat = Some("AUTH TLS")),
    verb!("PBSZ", Must("<0>"), Always, "RFC 2228, RFC 4217", secure::pbsz, "Before PROT, as it is specified; it has no effect", feat = Some("PBSZ")),
    verb!("PROT", Must("<P or C>"), Always, "RFC 2228, RFC 4217", secure::prot, "Data connections use TLS, or do not", feat = Some("PROT")),
    verb!("CCC", Bare, Always, "RFC 2228, RFC 4217", secure::ccc, "End TLS on the control connection, where that is allowed", feat = Some("CCC")),
    verb!("SMNT", Must("<path>"), LoggedIn, "RFC 959", settings::smnt, "Not done here: answered 502"),
    // Where am I, what is there
    verb!("CWD", Must("<path>"), LoggedIn, "RFC 959", browse::cwd, "Change the working directory"),
    verb!("XCWD", Must("<path>"), LoggedIn, "RFC 775", browse::cwd, "As CWD"),
    verb!("CDUP", Bare, LoggedIn, "RFC 959", browse::cdup, "Change to the directory above"),
    verb!("XCUP", Bare, LoggedIn, "RFC 775", browse::cdup, "As CDUP"),
    verb!("PWD", Bare, LoggedIn, "RFC 959", browse::pwd, "Show the working directory"),
    verb!("XPWD", Bare, LoggedIn, "RFC 775", browse::pwd, "As PWD"),
    verb!("LIST", May("[-aAdrR] [<path>]"), LoggedIn, "RFC 959", browse::list, "List as `ls -l` does; names may be a pattern", needs = "list"),
    verb!("NLST", May("[-aAR] [<path>]"), LoggedIn, "RFC 959", browse::nlst, "List names; they may be a pattern", needs = "list"),
    verb!("MLSD", May("[<path>]"), LoggedIn, "RFC 3659", browse::mlsd, "List a directory for programs", needs = "list"),
    verb!("MLST", May("[<path>]"), LoggedIn, "RFC 3659", browse::mlst, "Facts about one name", needs = "list or read"),
    verb!("SIZE", Must("<path>"), LoggedIn, "RFC 3659", browse::size, "Bytes that RETR would send", feat = Some("SIZE"), needs = "list or read"),
    verb!("MDTM", Must("<path, or time path>"), LoggedIn, "RFC 3659", mdtm::mdtm, "When a file was modified (UTC); with a time in front, set it (needs write)", feat = Some("MDTM"), needs = "list or read"),
    verb!("STAT", May("[<path>]"), Always, "RFC 959", browse::stat, "The session's state, a transfer's progress, or a listing over the control connection"),
    verb!("AVBL", May("[<path>]"), LoggedIn, "draft-peterson-streamlined", room::avbl, "Bytes that there is still room for", feat = Some("AVBL")),
    verb!("DSIZ", May("[<path>]"), LoggedIn, "draft-peterson-streamlined", room::dsiz, "Bytes of all files in a directory and below", feat = Some("DSIZ"), needs = "list"),
    // Digests
    verb!("HASH", Must("<path>"), LoggedIn, "draft-bryan-ftpext-hash", digest::hash, "Digest of a file, or of its RANG; OPTS HASH chooses which", takes_restart = true, needs = "read"),
    verb!("XCRC", Must("<path [start] [end]>"), LoggedIn, "de facto", digest::xcrc, "CRC32 of a file, or of its bytes from start to before end", feat = Some("XCRC"), needs = "read"),
    verb!("XMD5", Must("<path [start] [end]>"), LoggedIn, "de facto", digest::xmd5, "The same with MD5", feat = Some("XMD5"), needs = "read"),
    verb!("XSHA", Must("<path [start] [end]>"), LoggedIn, "de facto", digest::xsha1, "As XSHA1", feat = Some("XSHA"), needs = "read"),
    verb!("XSHA1", Must("<path [start] [end]>"), LoggedIn, "de facto", digest::xsha1, "The same with SHA-1", feat = Some("XSHA1"), needs = "read"),
    verb!("XSHA256", Must("<path [start] [end]>"), LoggedIn, "de facto", digest::xsha256, "The same with SHA-256", feat = Some("XSHA256"), needs = "read"),
    verb!("XSHA512", Must("<path [start] [end]>"), LoggedIn, "de facto", digest::xsha512, "The same with SHA-512", feat = Some("XSHA512"), needs = "read"),
    // The data connection
    verb!("PASV", Bare, LoggedIn, "RFC 959", transfer::pasv, "Data: you connect to us (IPv4)", takes_restart = true),
    verb!("EPSV", May("[<1, 2 or ALL>]"), LoggedIn, "RFC 2428", transfer::epsv, "Data: you connect to us", feat = Some("EPSV"), takes_restart = true),
    verb!("PORT", Must("<h1,h2,h3,h4,p1,p2>"), LoggedIn, "RFC 959", transfer::port, "Data: we connect to you (IPv4)", takes_restart = true),
    verb!("EPRT", Must("<|proto|address|port|>"), LoggedIn, "RFC 2428", transfer::eprt, "Data: we connect to you", feat = Some("EPRT"), takes_restart = true),
    // Transfers
    verb!("RETR", Must("<path>"), LoggedIn, "RFC 959", transfer::retr, "Download a file", takes_restart = true, logged = true, needs = "read"),
    verb!("STOR", Must("<path>"), LoggedIn, "RFC 959", transfer::stor, "Upload a file; it appears when it is whole", takes_restart = true, logged = true, needs = "write or create"),
    verb!("STOU", May("[<path>]"), LoggedIn, "RFC 959", transfer::stou, "Upload under a name that is free", logged = true, needs = "write or create"),
    verb!("APPE", Must("<path>"), LoggedIn, "RFC 959", transfer::appe, "Upload to the end of a file", logged = true, needs = "append or write"),
    verb!("ALLO", May("[<bytes>]"), LoggedIn, "RFC 959", transfer::allo, "Say how large the next upload will be"),
    verb!("REST", Must("<offset>"), LoggedIn, "RFC 3659", transfer::rest, "Begin the next transfer there", feat = Some("REST STREAM")),
    verb!("RANG", Must("<first last>"), LoggedIn, "draft-bryan-ftp-range", digest::rang, "The next RETR or HASH is of these bytes only, both included", feat = Some("RANG STREAM")),
    verb!("ABOR", Bare, Always, "RFC 959", transfer::abor, "Stop the transfer"),
    // Changes
    verb!("DELE", Must("<path>"), LoggedIn, "RFC 959", change::dele, "Delete a file", needs = "delete", logged = true),
    verb!("RMD", Must("<path>"), LoggedIn, "RFC 959", change::rmd, "Remove an empty directory", needs = "delete", logged = true),
    verb!("XRMD", Must("<path>"), LoggedIn, "RFC 775", change::rmd, "As RMD", needs = "delete", logged = true),
    verb!("MKD", Must("<path>"), LoggedIn, "RFC 959", change::mkd, "Make a directory", needs = "mkdir"),
    verb!("XMKD", Must("<path>"), LoggedIn, "RFC 775", change::mkd, "As MKD", needs = "mkdir"),
    verb!("RNFR", Must("<path>"), LoggedIn, "RFC 959", change::rnfr, "Rename: the old name", needs = "rename"),
    verb!("RNTO", Must("<path>"), LoggedIn, "RFC 959", change::rnto, "Rename: the new name", needs = "rename"),
    verb!("MFMT", Must("<time path>"), LoggedIn, "draft-somers-ftp-mfxx", change::mfmt, "Set when a file was modified", feat = Some("MFMT"), needs = "write"),
    verb!("MFCT", Must("<time path>"), LoggedIn, "draft-somers-ftp-mfxx", facts::mfct, "Set when a file was made, where the file system lets one", needs = "write"),
    verb!("MFF", Must("<fact=value;… path>"), LoggedIn, "draft-somers-ftp-mfxx", facts::mff, "Set facts of a file, all or none: Modify, UNIX.mode (which needs `site`), Create (as MFCT)", feat = Some("MFF Modify;UNIX.mode;"), needs = "write"),
    verb!("RMDA", Must("<path>"), LoggedIn, "draft-peterson-streamlined-ftp-command-extensions", tree::rmda, "Remove a directory and all that is in it", feat = Some("RMDA directoryname"), needs = "delete"),
    verb!("COMB", Must("<\"target\" \"part\" …>"), LoggedIn, "de facto", tree::comb, "Join parts into one file, behind what it holds, and delete them", feat = Some("COMB target;source_list"), needs = "read and write and delete"),
    // Settings
    verb!("TYPE", Must("<A, I or L 8>"), LoggedIn, "RFC 959", settings::kind, "Text with CRLF, or bytes as they are"),
    verb!("STRU", Must("<F>"), LoggedIn, "RFC 959", settings::stru, "File structure: only F"),
    verb!("MODE", Must("<S or Z>"), LoggedIn, "RFC 959, draft-preston-ftpext-deflate", settings::mode, "Transfer mode: S (stream) or Z (compressed)", feat = Some("MODE Z")),
    verb!("OPTS", Must("<verb options>"), Always, "RFC 2389", settings::opts, "Options: UTF8, MLST, HASH, MODE Z"),
    verb!("LANG", May("[<en or de>]"), Always, "RFC 2640", settings::lang, "The language of replies"),
    verb!("CLNT", Must("<name>"), Always, "de facto", settings::clnt, "Say which client you are", feat = Some("CLNT")),
    verb!("CSID", Must("<Name=…; Version=…;>"), Always, "draft-peterson-streamlined", introduce::csid, "Say which client you are, and learn which server this is", feat = Some("CSID")),
    verb!("SITE", Must("<command>"), LoggedIn, "RFC 959", site::unknown, "What this server has of its own; SITE HELP lists it"),
    // About the server
    verb!("FEAT", Bare, Always, "RFC 2389", settings::feat, "What this server can do beyond RFC 959"),
    verb!("HELP", May("[<verb>]"), Always, "RFC 959", settings::help, "The verbs, or one of them"),
    verb!("SYST", Bare, Always, "RFC 959", settings::syst, "The kind of system"),
    verb!("NOOP", Bare, Always, "RFC 959", settings::noop, "Nothing, politely"),
];

/// What stands behind SITE.
#[rustfmt::skip]
pub static SITE: &[Verb] = &[
    verb!("SITE CHMOD", Must("<mode> <path>"), LoggedIn, "de facto", site::chmod, "Set permissions, as 644", needs = "site"),
    verb!("SITE UMASK", May("[<mask>]"), LoggedIn, "de facto", site::umask, "Show or set what new files and directories of this session go without, as 027", needs = "site"),
    verb!("SITE UTIME", Must("<time path>"), LoggedIn, "de facto", facts::utime, "Set when a file was modified; also as <path atime mtime ctime UTC>", feat = Some("SITE UTIME"), needs = "write"),
    verb!("SITE SYMLINK", Must("<target> <link>"), LoggedIn, "de facto", site::symlink, "Make a symbolic link that stays inside; names with blanks in quotes", feat = Some("SITE SYMLINK"), needs = "site"),
    verb!("SITE CPFR", Must("<path>"), LoggedIn, "de facto", tree::cpfr, "Copy on the server: what is to be copied", needs = "read"),
    verb!("SITE CPTO", Must("<path>"), LoggedIn, "de facto", tree::cpto, "Copy on the server: the name of the copy; a directory needs `mkdir`, too", needs = "read and write"),
    verb!("SITE IDLE", May("[<seconds>]"), LoggedIn, "de facto", site::idle, "Show or set how long this session may be silent"),
    verb!("SITE WHO", Bare, LoggedIn, "de facto", site::who, "This account's sessions, and how many there are in all"),
    verb!("SITE QUOTA", Bare, LoggedIn, "de facto", site::quota, "How much room there is"),
    verb!("SITE HELP", May("[<command>]"), LoggedIn, "RFC 959", site::help, "What SITE can do"),
];

/// FEAT lines that belong to no single verb.
pub const MORE_FEATURES: &[&str] = &["UTF8", "TVFS"];

/// The row of a verb in upper case.
pub fn find(name: &str) -> Option<&'static Verb> {
    let wanted = number_of(name);
    let at = NUMBERS.iter().position(|number| *number == wanted)?;
    VERBS.get(at).filter(|verb| verb.name == name)
}

/// What the verbs begin with, in the order of the table: seventy numbers are looked through faster than seventy names.
static NUMBERS: [u64; VERBS.len()] = {
    let (mut numbers, mut at) = ([0; VERBS.len()], 0);
    while at < numbers.len() {
        numbers[at] = number_of(VERBS[at].name);
        at += 1;
    }
    numbers
};

/// The first eight bytes of a name, which no two verbs have in common.
const fn number_of(name: &str) -> u64 {
    let (mut first, name, mut at) = ([0; MAX_VERB], name.as_bytes(), 0);
    while at < name.len() && at < first.len() {
        first[at] = name[at];
        at += 1;
    }
    u64::from_ne_bytes(first)
}

/// The row of a word behind SITE, in any case.
pub fn find_site(word: &[u8]) -> Option<&'static Verb> {
    let second =
        |verb: &Verb| verb.name.split_once(' ').is_some_and(|(_, name)| word.eq_ignore_ascii_case(name.as_bytes()));
    SITE.iter().find(|verb| second(verb))
}

impl Verb {
    /// Verb and argument, as HELP shows them.
    pub fn usage(&self) -> String {
        match self.argument {
            Argument::None => self.name.to_string(),
            Argument::Optional(what) | Argument::Required(what) => format!("{} {what}", self.name),
        }
    }

    /// The command for the log: what is behind PASS and ACCT never gets there.
    pub fn for_log(&self, argument: Option<&[u8]>) -> String {
        match argument {
            None => self.name.to_string(),
            Some(_) if matches!(self.name, "PASS" | "ACCT") => format!("{} …", self.name),
            Some(argument) => format!("{} {}", self.name, printable(argument)),
        }
    }
}

/// The table as Markdown, for the README.
pub fn markdown_table() -> String {
    let head = "| command | what it does | right | specified in | before login |\n|---|---|---|---|---|\n";
    let rows = VERBS.iter().chain(SITE).map(|verb| {
        let usage = verb.usage().replace('|', "\\|");
        let always = if verb.when == When::Always { "yes" } else { "" };
        format!("| `{usage}` | {} | {} | {} | {always} |\n", verb.help, verb.needs, verb.rfc)
    });
    std::iter::once(head.to_string()).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_verb_stands_twice() {
        for table in [VERBS, SITE] {
            for (at, verb) in table.iter().enumerate() {
                assert!(table[at + 1..].iter().all(|other| other.name != verb.name), "{} stands twice", verb.name);
            }
        }
    }

    #[test]
    fn every_verb_is_found_and_nothing_else() {
        for verb in VERBS {
            assert_eq!(find(verb.name).unwrap().name, verb.name);
        }
        for unknown in ["", "NOO", "NOOPS", "noop", "NOOP\0", "NOOP ", "XSHA2567890"] {
            assert!(find(unknown).is_none(), "{unknown:?}");
        }
    }

    #[test]
    fn a_password_never_reaches_the_log() {
        let pass = find("PASS").unwrap();
        assert!(!pass.for_log(Some(b"hunter2")).contains("hunter2"));
    }
}
