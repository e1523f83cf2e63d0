//! What is typed for each clock, `NAME=HOST:PORT`. Pure: looks nothing up.

use std::net::Ipv6Addr;

use crate::said::is_hidden;

/// A clock to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What its row is called.
    pub name: String,
    /// Where it is, `HOST:PORT`.
    pub address: String,
}

/// Reads `NAME=HOST:PORT`; an IPv6 address stands in brackets.
pub(crate) fn parse_target(text: &str) -> Result<Target, String> {
    const FORM: &str = "give NAME=HOST:PORT, as Tokyo=localhost:8020";
    let (name, address) = text.split_once('=').ok_or(FORM)?;
    let name = name.trim();
    if name.is_empty() || address.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(FORM.to_string());
    }
    if name.chars().any(|c| c.is_control() || is_hidden(c)) {
        return Err(format!("the name has characters that cannot be shown: {FORM}"));
    }
    let (host, port) = address.rsplit_once(':').ok_or(FORM)?;
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.split('%').next().is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && !host.contains([':', '[', ']']),
    };
    if !is_host || !port.parse::<u16>().is_ok_and(|port| port != 0) {
        return Err(FORM.to_string());
    }
    Ok(Target { name: name.to_string(), address: address.to_string() })
}

/// Two rows of one name could not be told apart.
pub(crate) fn check_names(targets: &[Target]) -> Result<(), String> {
    for (number, target) in targets.iter().enumerate() {
        if targets[..number].iter().any(|other| other.name == target.name) {
            return Err(format!("{} is there twice: give each clock a name of its own, NAME=HOST:PORT", target.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed() {
        for (text, name, address) in [
            ("Tokyo=localhost:8020", "Tokyo", "localhost:8020"),
            ("New York=10.0.0.1:1", "New York", "10.0.0.1:1"),
            ("東京=[::1]:8020", "東京", "[::1]:8020"),
        ] {
            assert_eq!(parse_target(text), Ok(Target { name: name.to_string(), address: address.to_string() }));
        }
        let wrong =
            ["Tokyo", "=a:1", " =a:1", "a=", "a=b", "a=:1", "a=b:", "a=b:0", "a=b:65536", "a=::1:80", "a=[]:80"];
        let unprintable = ["a\u{1b}[2J=b:1", "a\u{202e}=b:1", "a=b\u{7}:1", "a=b c:1", "a\nb=b:1"];
        for text in wrong.iter().chain(&unprintable) {
            let error = parse_target(text).unwrap_err();
            assert!(error.contains("NAME=HOST:PORT") && !error.contains('\n'), "{text:?}: {error}");
        }
    }

    #[test]
    fn names_are_unique() {
        let targets = ["a=b:1", "c=b:1", "a=d:2"].map(|text| parse_target(text).unwrap());
        assert_eq!(check_names(&targets[..2]), Ok(()));
        assert!(check_names(&targets).unwrap_err().starts_with("a is there twice"));
    }
}
