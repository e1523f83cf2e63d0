//! One test for each failure of another server, named after it and its report: a dialogue that went wrong there and is right
//! here. What needs a crowd, TLS or a real client stands in the room of its theme, with the same name in its comment;
//! tests/README.md maps all of them.

/// Servers with a failure or two each.
mod others;
/// ProFTPD; a number is that of an issue of proftpd/proftpd.
mod proftpd;
/// ProFTPD, where a dialogue alone does not show it.
mod proftpd_deeper;
/// Pure-FTPd.
mod pureftpd;
/// pyftpdlib; a number is that of an issue of giampaolo/pyftpdlib.
mod pyftpdlib;
/// vsftpd.
mod vsftpd;
