//! Failures of servers that have one or two here: LightFTP, uFTP, ftpserverlib, usbode-circle, qftp, SFTPGo, and what
//! elFinder found out.

use std::fs;

use crate::command_line::outcome;
use crate::dialogue::holds;
use crate::server::{Place, command};

/// <https://github.com/hfiref0x/LightFTP/issues/80>: 2^64-1 became -1, and the offset was no longer what was answered;
/// and STOR said that it went on from the offset, and began anew.
#[test]
fn lightftp_80_a_restart_is_believed_by_both_directions_or_refused() {
    holds(
        r#"
file f "0123456789"
login
> TYPE I
< 200
> REST 18446744073709551615
< 501
> REST 18446744073709551616
< 501
passive
> RETR f
< 150
receive "0123456789"
< 226
passive
> REST 9223372036854775807
< 350
> RETR f
< 554
> REST 4
< 350
> STOR f
< 150
send "abc"
close
< 226
disk f "0123abc"
"#,
    );
}

/// <https://github.com/hfiref0x/LightFTP/issues/81>: what could not be opened was answered 150 and 226.
#[test]
fn lightftp_81_an_upload_that_is_not_on_the_disk_is_never_226() {
    holds(
        r#"
directory d
file f "old"
symlink out -> /gftp-must-not-appear
login
> TYPE I
< 200
passive
> STOR gone/new
< 550/553
> STOR d
< 550/553
> STOR f/new
< 550/553
> STOR out
< 550/553
> APPE d
< 550/553
> STOU gone/new
< 550/553
disk f "old"
> STOR new
< 150
send "there"
close
< 226
disk new "there"
"#,
    );
}

/// <https://github.com/kingk85/uFTP/issues/30>: an offset stayed behind other commands.
#[test]
fn uftp_30_rest_is_forgotten_by_any_other_command() {
    holds(
        r#"
file f "0123456789"
login
> TYPE I
< 200
> REST 4
< 350
> PWD
< 257
passive
> RETR f
< 150
receive "0123456789"
< 226
passive
> REST 4
< 350
> TYPE I
< 200
> RETR f
< 150
receive "0123456789"
< 226
"#,
    );
}

/// The same report: and so did the first half of a rename.
#[test]
fn uftp_30_rnfr_is_forgotten_by_any_other_command() {
    holds(
        r#"
file f "content"
login
> RNFR f
< 350
> PWD
< 257
> RNTO g
< 503
disk f "content"
absent g
"#,
    );
}

/// <https://github.com/fclairamb/ftpserverlib/pull/266>: an append began at the offset.
#[test]
fn ftpserverlib_266_rest_before_appe_means_nothing() {
    holds(
        r#"
file f "0123456789"
login
> TYPE I
< 200
passive
> REST 2
< 350
> APPE f
< 150
send "abc"
close
< 226
disk f "0123456789abc"
"#,
    );
}

/// <https://github.com/danifunker/usbode-circle/issues/243>: the file that stood was empty before there was a data
/// connection, and what came of an upload that broke off stood in its place.
#[test]
fn usbode_243_an_upload_that_does_not_come_leaves_what_stood() {
    holds(
        r#"
over ipv4
file old "as it was"
login
> TYPE I
< 200
> STOR old
< 425
disk old "as it was"
# Nobody listens there.
> PORT 127,0,0,1,4,1
< 200
> STOR old
< 425
disk old "as it was"
passive
> STOR old
< 150
disk old "as it was"
send "half"
reset
< 426
disk old "as it was"
"#,
    );
}

/// <https://github.com/khm39/qftp/issues/219>: what a rename replaced was counted for ever.
#[test]
fn qftp_219_a_rename_over_a_file_gives_its_bytes_back() {
    holds(
        r#"
users alice /home full
rule alice quota = { bytes = 10, files = 4 }
directory home
file home/a "12345"
file home/b "1234"
login alice
> TYPE I
< 200
> SITE QUOTA
< 200 Used: 9 of 10 bytes, 2 of 4 files
> RNFR b
< 350
> RNTO a
< 250
> SITE QUOTA
< 200 Used: 4 of 10 bytes, 1 of 4 files
passive
> STOR c
< 150
send "123456"
close
< 226
> SITE QUOTA
< 200 Used: 10 of 10 bytes, 2 of 4 files
"#,
    );
}

/// <https://github.com/Studio-42/elFinder/issues/2212>: Pure-FTPd said nothing to a verb that ends in a digit, and hung up.
#[test]
fn elfinder_2212_a_verb_that_ends_in_a_digit_is_answered() {
    holds(
        r#"
login
> epsv4 off
< 500
> EPSV4
< 500
> rewqr12345
< 500
> NOOP1
< 500
> 12345
< 500
> NOOP
< 200
"#,
    );
}

/// CVE-2026-30915: a user's name became part of a home's path. Here a home is what the users file says.
#[test]
fn sftpgo_cve_2026_30915_a_name_with_dots_leads_to_nobodys_home() {
    holds(
        r#"
users alice /users/alice full
users ../bob /users/bob full
directory users/alice
directory users/bob
file users/bob/his "1"
file above "2"
< 220
> USER ../alice
< 331
> PASS Pa55-word
< 530
> USER ../bob
< 331
> PASS Pa55-word
< 230
> PWD
< 257 "\"/\""
passive
> NLST
< 150
receive names "his"
< 226
> CWD ..
< 250
> SIZE above
< 550
"#,
    );
}

/// The same: a home is told without "..", whoever it was put together by.
#[test]
fn sftpgo_cve_2026_30915_a_home_has_no_dots() {
    let place = Place::new();
    for home in ["/users/../..", "..", "/users/.."] {
        let file = place.users(&[("alice".to_string(), home.to_string(), vec!["full".to_string()])]);
        let output = outcome(command(place.root(), &["--port", "0", "--users", file.to_str().unwrap()]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{home}: {said}");
        assert!(said.contains("\"..\" in a home"), "{home}: {said}");
    }
    assert_eq!(fs::read_dir(place.root()).unwrap().count(), 0);
}
