//! What is said to the program and what it says: a line of JSON each. Pure; it refuses to know how lines travel.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::Caller;
use super::super::users::{User, of_answer};

/// What is written of the reason of a refusal at most: a line of the log.
const LONGEST_REASON: usize = 200;

/// A login, as the program is asked about it.
#[derive(Serialize)]
pub(super) struct Question {
    /// The number that the answer must repeat.
    id: u64,
    user: String,
    password: String,
    peer: IpAddr,
    peer_port: u16,
    local: IpAddr,
    local_port: u16,
    service: &'static str,
    tls: bool,
}

/// What the program says.
#[derive(Debug)]
pub(super) enum Said {
    /// This account, on these terms.
    Allow(Box<User>),
    /// No; and why, for the log.
    Deny(String),
}

impl Question {
    pub(super) fn new(name: &str, password: &str, caller: &Caller) -> Self {
        let Caller { peer, local, service, tls } = *caller;
        Question {
            id: 0,
            user: name.to_string(),
            password: password.to_string(),
            peer: peer.ip(),
            peer_port: peer.port(),
            local: local.ip().to_canonical(),
            local_port: local.port(),
            service,
            tls,
        }
    }

    /// The line of question number `id`, with its end.
    pub(super) fn line(&self, id: u64) -> Vec<u8> {
        // Numbers, text and addresses: it cannot fail, and an empty line would be answered with nonsense at worst.
        let Ok(Value::Object(mut all)) = serde_json::to_value(self) else { return b"\n".to_vec() };
        all.insert("id".to_string(), id.into());
        let mut line = Value::Object(all).to_string().into_bytes();
        line.push(b'\n');
        line
    }

    /// What `line` says to question number `id`. An error says what was expected.
    pub(super) fn read(&self, line: &[u8], id: u64) -> Result<Said, String> {
        const EXPECTED: &str = "expected {\"id\": N, \"allow\": true, \"rights\": …} or {\"id\": N, \"allow\": false}";
        let mut said: Map<String, Value> = match serde_json::from_slice(line) {
            Ok(said) => said,
            // Where, not what: the line may hold anything.
            Err(e) => return Err(format!("no object of JSON in a line (column {}); {EXPECTED}", e.column())),
        };
        if said.remove("id").and_then(|answered| answered.as_u64()) != Some(id) {
            return Err(format!("an answer that does not repeat the \"id\" of its question; {EXPECTED}"));
        }
        let allow = said.remove("allow").and_then(|allow| allow.as_bool());
        let reason = said.remove("reason");
        match allow {
            None => Err(format!("an answer without \"allow\": true or false; {EXPECTED}")),
            Some(true) => of_answer(&self.user, said).map(|user| Said::Allow(Box::new(user))),
            Some(false) => {
                let reason = reason.as_ref().and_then(Value::as_str).unwrap_or("the program says no");
                Ok(Said::Deny(self.without_secret(reason).chars().take(LONGEST_REASON).collect()))
            }
        }
    }

    /// The text without the password, wherever it came from: a log is read by many.
    pub(super) fn without_secret(&self, text: &str) -> String {
        text.replace(&self.password, "(the password)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        let (peer, local) = (([192, 0, 2, 7], 50_123).into(), ([198, 51, 100, 1], 21).into());
        Question::new("alice \"ü\"", "s\nx", &Caller { peer, local, service: "ftp", tls: true })
    }

    #[test]
    fn a_question_is_one_line_of_json() {
        let line = question().line(7);
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
        let asked: Value = serde_json::from_slice(&line).unwrap();
        let expected = serde_json::json!({
            "id": 7, "user": "alice \"ü\"", "password": "s\nx", "peer": "192.0.2.7", "peer_port": 50123,
            "local": "198.51.100.1", "local_port": 21, "service": "ftp", "tls": true,
        });
        assert_eq!(asked, expected);
    }

    #[test]
    fn answers_are_read_and_nonsense_is_said() {
        let question = question();
        let read = |line: &str| question.read(line.as_bytes(), 7);
        let Ok(Said::Allow(user)) = read(r#"{"id": 7, "allow": true, "rights": "full", "home": "/a"}"#) else {
            panic!()
        };
        assert_eq!((user.name.as_str(), user.home.to_string().as_str()), ("alice \"ü\"", "/a"));
        let Ok(Said::Deny(why)) = read(r#"{"id": 7, "allow": false, "reason": "not s\nx"}"#) else { panic!() };
        assert_eq!(why, "not (the password)");
        let long = format!(r#"{{"id": 7, "allow": false, "reason": "{}"}}"#, "ü".repeat(1000));
        assert!(matches!(read(&long), Ok(Said::Deny(why)) if why.chars().count() == LONGEST_REASON));
        assert!(matches!(read(r#"{"id": 7, "allow": false, "reason": 7, "rights": 7}"#), Ok(Said::Deny(_))));
        for (line, words) in [
            ("", "no object of JSON"),
            ("OK", "no object of JSON"),
            ("[7]", "no object of JSON"),
            (r#"{"id": 7} {"id": 7}"#, "no object of JSON"),
            (r#"{"allow": true, "rights": "full"}"#, "does not repeat the \"id\""),
            (r#"{"id": 6, "allow": true, "rights": "full"}"#, "does not repeat the \"id\""),
            (r#"{"id": "7", "allow": true, "rights": "full"}"#, "does not repeat the \"id\""),
            (r#"{"id": 7, "rights": "full"}"#, "without \"allow\""),
            (r#"{"id": 7, "allow": "true", "rights": "full"}"#, "without \"allow\""),
            (r#"{"id": 7, "allow": 1, "rights": "full"}"#, "without \"allow\""),
            (r#"{"id": 7, "allow": true}"#, "missing field \"rights\""),
            (r#"{"id": 7, "allow": true, "rights": "full", "user": "bob"}"#, "unknown field \"user\""),
        ] {
            let said = read(line).map(drop).expect_err(line);
            assert!(said.contains(words) && !said.contains('\n'), "{line}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(line in "\\PC{0,80}", value in "[\\[\\]{}\":,0-9a-z]{0,40}") {
            let question = question();
            let _ = question.read(line.as_bytes(), 7);
            let _ = question.read(format!("{{\"id\": 7, \"allow\": true, \"rights\": {value}}}").as_bytes(), 7);
        }
    }
}
