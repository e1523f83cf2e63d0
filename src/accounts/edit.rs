//! Changes to the text of a users file. What they do not touch stays as it is, comments and order too. Knows text only.

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use super::hash::Hash;
use super::settings::{Setting, rights_value};
use super::users::{self, User};

/// The text with one more account at its end, of which these are set as well.
pub fn add(text: &str, user: &User, settings: &[Setting]) -> Result<String, String> {
    let mut document = parse(text)?;
    // What follows the last account is a remark on it or on those before, and stays before the new one.
    let end = document.trailing().as_str().unwrap_or_default().to_string();
    document.set_trailing("");
    let mut table = Table::new();
    table.insert("name", Item::from(user.name.as_str()));
    table.insert("hash", Item::from(user.hash.text()));
    table.insert("home", Item::from(String::from_utf8_lossy(&user.home.absolute()).into_owned()));
    table.insert("rights", Item::Value(rights_value(user.rules.rights())));
    for Setting { key, value } in settings {
        if let Some(value) = value {
            table.insert(key, Item::Value((**value).clone()));
        }
    }
    let gap = if text.is_empty() { "" } else { "\n" };
    table.decor_mut().set_prefix(format!("{end}{gap}"));
    users_of(&mut document)?.push(table);
    checked(&document)
}

/// The text with another hash for an account.
pub fn set_hash(text: &str, name: &str, hash: &Hash) -> Result<String, String> {
    set(text, name, &[Setting { key: "hash", value: Some(Box::new(hash.text().into())) }])
}

/// The text with these settings for an account.
pub fn set(text: &str, name: &str, settings: &[Setting]) -> Result<String, String> {
    let mut document = parse(text)?;
    let users = users_of(&mut document)?;
    let at = find(users, name)?;
    if let Some(user) = users.get_mut(at) {
        for Setting { key, value } in settings {
            match (user.get_mut(key), value) {
                (Some(Item::Value(old)), Some(new)) => {
                    // A remark behind it stays.
                    let decor = old.decor().clone();
                    *old = (**new).clone();
                    *old.decor_mut() = decor;
                }
                (_, Some(new)) => drop(user.insert(key, Item::Value((**new).clone()))),
                (_, None) => drop(user.remove(key)),
            }
        }
    }
    checked(&document)
}

/// The text without an account. The remark right above it goes with it; one that a blank line parts from it stays.
pub fn remove(text: &str, name: &str) -> Result<String, String> {
    let mut document = parse(text)?;
    let users = users_of(&mut document)?;
    let at = find(users, name)?;
    let above = users.get(at).and_then(|user| user.decor().prefix()?.as_str()).unwrap_or_default();
    let kept = above.rfind("\n\n").map_or("", |end| &above[..end + 1]).to_string();
    users.remove(at);
    match users.get_mut(at) {
        Some(next) => {
            let below = next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_string();
            next.decor_mut().set_prefix(kept + &below);
        }
        None => {
            let end = document.trailing().as_str().unwrap_or_default().to_string();
            document.set_trailing(kept + &end);
        }
    }
    checked(&document)
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|e: toml_edit::TomlError| e.message().lines().collect::<Vec<_>>().join(", "))
}

fn users_of(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, String> {
    let users = document.as_table_mut().entry("user").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let users = users.as_array_of_tables_mut();
    users.ok_or_else(|| "the accounts are in no [[user]] tables; edit this file by hand".to_string())
}

fn find(users: &ArrayOfTables, name: &str) -> Result<usize, String> {
    let is_it = |user: &Table| user.get("name").and_then(Item::as_str) == Some(name);
    users.iter().position(is_it).ok_or_else(|| format!("there is no account {name}"))
}

/// The document as text, if that is still a users file.
fn checked(document: &DocumentMut) -> Result<String, String> {
    let text = document.to_string();
    match users::read(text.as_bytes()) {
        Ok(_) => Ok(text),
        Err(misread) => Err(format!("the change would break the file ({misread}); edit it by hand")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Password;
    use crate::accounts::terms::Terms;
    use crate::accounts::users::read_home;
    use crate::store::Rights;

    const FILE: &str = "# Our accounts.\n# Ask Eve.\n\n# Alice is in sales.\n[[user]]\nname = 'alice' # since May\n\
                        hash = 'OLD' # changed often\nrights = [\n  \"list\", # she looks\n]\n\n# Bob\n[[user]]\n\
                        rights = \"full\"\nname = \"bob\"\nhash = 'OLD'\n# The end.\n";

    fn hash() -> Hash {
        Hash::of(&Password::new("x")).unwrap()
    }

    fn file(hash: &Hash) -> String {
        FILE.replace("OLD", hash.text())
    }

    #[test]
    fn what_is_not_touched_stays() {
        let (old, new) = (hash(), hash());
        let file = file(&old);
        let changed = set_hash(&file, "alice", &new).unwrap();
        let expected = file.replacen(&format!("'{}'", old.text()), &format!("\"{}\"", new.text()), 1);
        assert_eq!(changed, expected);

        let home = read_home("/c\"arol").unwrap();
        let carol = User {
            name: "carol".into(),
            hash: new,
            home,
            rules: Rights::DROP_BOX.into(),
            terms: Terms::default(),
            line: 0,
            column: 0,
        };
        let added = add(&file, &carol, &[]).unwrap();
        assert!(added.starts_with(&file), "{added}");
        let users = users::read(added.as_bytes()).unwrap();
        assert_eq!((users.len(), &users[2].name, &users[2].home), (3, &carol.name, &carol.home));
        let odd = Rights { list: true, mkdir: true, ..Rights::NONE };
        let added = add(&added, &User { name: "dave".into(), rules: odd.into(), ..carol.clone() }, &[]).unwrap();
        assert!(added.ends_with("rights = [\"list\", \"mkdir\"]\n"), "{added}");
        assert!(add("", &carol, &[]).unwrap().starts_with("[[user]]\nname = \"carol\"\n"));
        assert_eq!(remove(&add("", &carol, &[]).unwrap(), "carol").unwrap(), "");
    }

    #[test]
    fn settings_are_written_replaced_and_taken_out() {
        let hash = hash();
        let file = file(&hash);
        let settings = [
            Setting::networks("192.0.2.0/24, 2001:db8::/32"),
            Setting::denied_networks("192.0.2.7"),
            Setting::sessions("4"),
            Setting::expires("2026-12-31"),
            Setting::download("10 MiB/s"),
            Setting::upload("1 Gbit/s"),
            Setting::rights("list,mkdir"),
        ];
        let set_all = set(&file, "bob", &settings.map(Result::unwrap)).unwrap();
        let written = "networks = [\"192.0.2.0/24\", \"2001:db8::/32\"]\ndenied-networks = [\"192.0.2.7/32\"]\nsessions = 4\n\
                       expires = 2026-12-31\ndownload = \"10 MiB/s\"\nupload = \"1 Gbit/s\"\n";
        assert!(set_all.contains(written) && set_all.contains("\nrights = [\"list\", \"mkdir\"]\n"), "{set_all}");
        assert!(set_all.ends_with("# The end.\n") && set_all.contains("# she looks"), "{set_all}");
        let unset = ["networks", "denied-networks", "sessions", "expires", "download", "upload"]
            .map(|key| Setting { key, value: None });
        let rights = Setting::rights("full").unwrap();
        let back = set(&set(&set_all, "bob", &unset).unwrap(), "bob", &[rights]).unwrap();
        assert_eq!(back, file, "nothing is left of it");
        let none = set(&file, "bob", &unset).unwrap();
        assert_eq!(none, file, "what is not there is taken out easily");
        let with_remark = file.replace("rights = \"full\"", "rights = \"full\" # all");
        let changed = set(&with_remark, "bob", &[Setting::rights("read-only").unwrap()]).unwrap();
        assert!(changed.contains("rights = \"read-only\" # all\n"), "{changed}");
        for (said, hint) in [
            (Setting::networks("192.0.2.0/40"), "192.0.2.0/40"),
            (Setting::networks(","), "no network"),
            (Setting::denied_networks("::/129"), "::/129"),
            (Setting::sessions("0"), "at least 1"),
            (Setting::sessions("four"), "\"four\""),
            (Setting::expires("2026-02-30"), "2026-02-30"),
            (Setting::upload("10"), "KiB/s"),
            (Setting::home("../x"), "below the root"),
            (Setting::rights("unset"), "unset"),
        ] {
            assert!(said.unwrap_err().contains(hint), "{hint}");
        }
        assert_eq!(
            Setting::sessions(super::super::settings::UNSET).unwrap().value.map(|value| value.to_string()),
            None
        );
    }

    #[test]
    fn an_account_goes_with_its_own_remark_only() {
        let file = file(&hash());
        let left = remove(&file, "alice").unwrap();
        assert!(left.starts_with("# Our accounts.\n# Ask Eve.\n\n# Bob\n[[user]]\n"), "{left}");
        assert!(!left.contains("sales") && left.ends_with("# The end.\n"), "{left}");
        let left = remove(&file, "bob").unwrap();
        assert!(left.starts_with("# Our accounts.\n# Ask Eve.\n\n# Alice is in sales.\n[[user]]\n"), "{left}");
        assert!(left.ends_with("]\n\n# The end.\n") || left.ends_with("]\n# The end.\n"), "{left}");
        assert!(remove(&file, "carol").unwrap_err().contains("no account carol"));
        assert!(set_hash("", "carol", &hash()).unwrap_err().contains("no account carol"));
    }

    #[test]
    fn what_cannot_be_edited_is_left_alone() {
        let inline = format!("user = [{{ name = \"a\", hash = \"{}\", rights = [] }}]", hash().text());
        assert!(remove(&inline, "a").unwrap_err().contains("by hand"));
        assert!(set_hash("[[user]]\nname = \"a\"\n", "a", &hash()).unwrap_err().contains("by hand"));
        assert!(remove("[[user", "a").is_err());
    }
}
