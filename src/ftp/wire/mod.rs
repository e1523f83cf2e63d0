//! What travels on the control connection, and the lines of listings: bytes in, values out.
//! Knows no async, no file system, no socket and no clock (time is a parameter).

pub mod address;
mod calendar;
pub mod changes;
pub mod command;
pub mod facts;
pub mod flags;
mod german;
pub mod host;
pub mod listing;
pub mod phrase;
pub mod printable;
pub mod range;
pub mod reply;
mod text;
pub mod time;
pub mod words;
