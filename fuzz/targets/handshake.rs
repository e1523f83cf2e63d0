//! libFuzzer's way into [`gftp_fuzz::handshake`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gftp_fuzz::handshake(data));
