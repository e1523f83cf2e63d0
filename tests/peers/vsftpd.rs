//! vsftpd's failures, as dialogues.

use crate::dialogue::holds;

/// What mirroring clients need is not there, so that they lose times; nor can a session begin anew.
#[test]
fn vsftpd_mlsd_mlst_mfmt_and_rein_are_done() {
    holds(
        r#"
directory d
file d/f "12345"
login
> FEAT
< 211
& MLST
& MFMT
> MFMT 20010909014640 d/f
< 213 "Modify=20010909014640; d/f"
modified d/f 1000000000
> MLST d/f
< 250 "Type=file;Size=5;Modify=20010909014640;"
passive
> MLSD d
< 150
receive contains "Type=file;Size=5;Modify=20010909014640;"
and contains "; f\r\n"
< 226
> REIN
< 220
> PWD
< 530
> USER anonymous
< 331
> PASS x
< 230
> PWD
< 257
"#,
    );
}

/// EPSV ALL went unheard by EPRT, which it is there to end (RFC 2428 §4).
#[test]
fn vsftpd_epsv_all_refuses_eprt() {
    holds(
        r#"
file f "x"
login
> EPSV ALL
< 200
listen
> EPRT $EPRT
< 501/503
> RETR f
< 425
passive
> RETR f
< 150
receive "x"
< 226
"#,
    );
}

/// SIZE in TYPE A was the disk's, and not that of what RETR then sends (RFC 3659 §4).
#[test]
fn vsftpd_size_in_ascii_is_what_is_sent() {
    holds(
        r#"
file f "a\nb\r\nc\n"
login
> TYPE A
< 200
> SIZE f
< 213 =9
passive
> RETR f
< 150
receive "a\r\nb\r\nc\r\n"
< 226
> TYPE I
< 200
> SIZE f
< 213 =7
passive
> RETR f
< 150
receive "a\nb\r\nc\n"
< 226
"#,
    );
}
