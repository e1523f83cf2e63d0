//! gftp: a file server that speaks FTP first.
//!
//! From the top: [`cli`] turns what was typed into orders, [`serve`], [`user`] and [`bans`] carry them out, [`confine`] gives
//! up what no service needs, [`host`] is the front door of
//! every service, [`ftp`] is the first of these, and below it lie [`store`], the served tree, and [`accounts`], who may
//! do what. [`watched`] tells when a file is to be read again, [`replaced`] puts a new one in its place. Services stand on `gftp-plugin` (`plugins/api`) alone. An arrow never runs up; ARCHITECTURE.md says more.
//!
//! A program of one's own with one more plugin is [`main_with`] and the list of them: see `examples/own_plugin.rs`.

pub mod accounts;
pub mod bans;
pub mod cli;
pub mod confine;
pub mod ftp;
pub mod host;
pub mod logging;
mod program;
pub mod replaced;
pub mod serve;
pub mod store;
pub mod user;
pub mod watched;

pub use program::{bundled, main_with};
