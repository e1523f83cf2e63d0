//! libFuzzer's way into [`gftp_fuzz::telnet`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gftp_fuzz::telnet(data));
