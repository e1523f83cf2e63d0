//! ProFTPD's failures, as dialogues.

use crate::dialogue::holds;

/// Issue 2003: RNTO before a login, and each reply was then the answer to the command before.
#[test]
fn proftpd_2003_rnto_before_a_login_puts_no_reply_out_of_turn() {
    holds(
        r#"
server --user alice
< 220
> RNTO
< 530
> RNTO x
< 530
> USER alice
< 331
> RNTO x
< 530
> PASS Pa55-word
< 230
> RNTO x
< 503
> PWD
< 257 "\"/\""
> SYST
< 215
"#,
    );
}

/// Issue 2020: an input that begins with a line feed was read one byte before its beginning.
#[test]
fn proftpd_2020_an_input_that_begins_with_a_line_feed_is_an_empty_command() {
    holds(
        r#"
< 220
raw "\n"
< 500
raw "\nUSER anonymous\r\n"
< 500
< 331
raw "\n\r\nPASS x\n"
< 500
< 500
< 230
raw "\r\n\nPWD\r\n"
< 500
< 500
< 257
"#,
    );
}

/// Issue 2141: what stands behind the type was not looked at.
#[test]
fn proftpd_2141_a_type_with_a_format_that_is_none_is_refused() {
    holds(
        r#"
login
> TYPE I
< 200
> TYPE A X
< 501
> TYPE A N X
< 501
> TYPE A T
< 504
> TYPE I X
< 501
> STAT
< 211 Image
> TYPE A N
< 200
> STAT
< 211 ASCII
"#,
    );
}

/// Issue 2255: a transfer that failed or was aborted took EPSV ALL back.
#[test]
fn proftpd_2255_epsv_all_outlives_transfers_that_fail() {
    holds(
        r#"
over ipv4
sparse big 100000000
login
> TYPE I
< 200
> EPSV ALL
< 200
passive
> RETR gone
< 550
> PASV
< 501/503
passive
> RETR big
< 150
> ABOR
< 426
< 226
drain
> PORT 127,0,0,1,10,1
< 501/503
passive
> STOR up
< 150
send "half"
reset
< 426
> EPRT |1|127.0.0.1|2561|
< 501/503
> PASV
< 501/503
"#,
    );
}

/// Issue 2265: STAT with -C used memory that was given back.
#[test]
fn proftpd_2265_stat_with_any_flags_is_a_listing() {
    holds(
        r#"
directory d/sub
file d/a "12345"
file d/sub/deep "1"
login
> STAT -C d
< 212
& " a\n"
> STAT -B -C -R d
< 212
& " a\n"
> STAT -CCCC d/a
< 213
> STAT -C
< 211/212
> STAT -C gone
< 450/550
passive
> LIST -B -C -R
< 150
receive contains " deep\r\n"
< 226
> NOOP
< 200
"#,
    );
}

/// Issue 2286: numbers below zero, and beyond what a file's offset can be, were believed.
#[test]
fn proftpd_2286_a_negative_restart_is_refused() {
    holds(
        r#"
file f "0123456789"
login
> TYPE I
< 200
> REST -1
< 501
> REST -9223372036854775808
< 501
> REST 9223372036854775808
< 501
> REST 18446744073709551615
< 501
> RANG -1 5
< 501
> RANG 0 -1
< 501
> RANG 0 18446744073709551615
< 501
> RANG 9223372036854775808 9223372036854775809
< 501
passive
> RETR f
< 150
receive "0123456789"
< 226
passive
> REST -4
< 501
> STOR f
< 150
send "new"
close
< 226
disk f "new"
"#,
    );
}

/// A line that was cut between CR and LF was waited for without end.
#[test]
fn proftpd_a_line_cut_before_its_lf_is_heard() {
    holds(
        r#"
login
raw "PWD\r"
# The other client's turn gives the first piece time to arrive alone.
session other
open
> NOOP
< 200
session ""
raw "\nNOOP\r"
< 257
session other
> NOOP
< 200
session ""
raw "\n"
< 200
"#,
    );
}

/// Fields too many, and a port that is none, were taken.
#[test]
fn proftpd_port_with_seven_fields_and_eprt_with_port_99999_are_refused() {
    holds(
        r#"
over ipv4
file f "x"
login
> PORT 127,0,0,1,10,1,5
< 501
> PORT 127,0,0,1,10,1,
< 501
> EPRT |1|127.0.0.1|99999|
< 501
> EPRT |1|127.0.0.1|65536|
< 501
> RETR f
< 425
"#,
    );
}

/// ABOR was heard only when the client had read its data, which it no longer does.
#[test]
fn proftpd_abor_is_answered_while_data_is_unread() {
    holds(
        r#"
sparse big 100000000
login
> TYPE I
< 200
passive
> RETR big
< 150
> ABOR
< 426
< 226
> NOOP
< 200
drain
"#,
    );
}
