//! Pure-FTPd's failures, as dialogues.

use crate::dialogue::holds;

/// A quote within a name was not doubled in a 257, so that clients cut the name there (RFC 959 Appendix II).
#[test]
fn pureftpd_quotes_in_a_257_are_doubled() {
    holds(
        r#"
login
> MKD a "b" c
< 257 "\"/a \"\"b\"\" c\""
> CWD a "b" c
< 250
> PWD
< 257 "\"/a \"\"b\"\" c\""
> MKD "
< 257 "\"/a \"\"b\"\" c/\"\"\""
"#,
    );
}

/// EPSV ALL was answered and not kept (RFC 2428 §4).
#[test]
fn pureftpd_epsv_all_is_kept() {
    holds(
        r#"
over ipv4
file f "x"
login
> EPSV ALL
< 200
> PASV
< 501/503
> PORT 127,0,0,1,10,1
< 501/503
> EPRT |1|127.0.0.1|2561|
< 501/503
passive
> RETR f
< 150
receive "x"
< 226
"#,
    );
}

/// NLST named the two entries that every directory has, and clients that fetch by it ran in circles.
#[test]
fn pureftpd_nlst_lists_neither_dot_nor_dot_dot() {
    holds(
        r#"
file a "1"
file .hidden "2"
directory d
login
passive
> NLST
< 150
receive names "a" "d"
< 226
passive
> NLST -a
< 150
receive names ".hidden" "a" "d"
< 226
passive
> NLST d
< 150
receive ""
< 226
"#,
    );
}

/// NLST with a flag was refused as a name that is not there.
#[test]
fn pureftpd_nlst_takes_flags() {
    holds(
        r#"
file a "1"
directory d
file d/b "2"
login
passive
> NLST -1
< 150
receive names "a" "d"
< 226
passive
> NLST -1 d
< 150
receive names "d/b"
< 226
"#,
    );
}

/// A client that had gone before its command was told that its transfer begins.
#[test]
fn pureftpd_a_client_that_has_gone_is_not_told_150() {
    holds(
        r#"
sparse big 100000000
login
> TYPE I
< 200
passive
reset
> RETR big
< 425 "broken off"
passive
reset
> NLST
< 425
passive
reset
> STOR new
< 425
absent new
# The next one is as good as any.
passive
> STOR new
< 150
send "content"
close
< 226
disk new "content"
"#,
    );
}

/// A backslash is a letter of a name like any other.
#[test]
fn pureftpd_names_have_backslashes() {
    holds(
        r#"
login
> TYPE I
< 200
passive
> STOR back\slash.txt
< 150
send "content"
close
< 226
disk "back\\slash.txt" "content"
passive
> NLST
< 150
receive names "back\\slash.txt"
< 226
passive
> RETR back\slash.txt
< 150
receive "content"
< 226
> MKD d\e
< 257
> CWD d\e
< 250
> CDUP
< 250
> DELE back\slash.txt
< 250
absent "back\\slash.txt"
"#,
    );
}
