//! Changes to the text of a users file. What they do not touch stays as it is, comments and order too. Knows text only.

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value};

use super::hash::Hash;
use super::users::{self, User};
use crate::store::Rights;

/// The text with one more account at its end.
pub fn add(text: &str, user: &User) -> Result<String, String> {
    let mut document = parse(text)?;
    // What follows the last account is a remark on it or on those before, and stays before the new one.
    let end = document.trailing().as_str().unwrap_or_default().to_string();
    document.set_trailing("");
    let mut table = Table::new();
    table.insert("name", Item::from(user.name.as_str()));
    table.insert("hash", Item::from(user.hash.text()));
    table.insert("home", Item::from(String::from_utf8_lossy(&user.home.absolute()).into_owned()));
    table.insert("rights", rights(user.rights));
    let gap = if text.is_empty() { "" } else { "\n" };
    table.decor_mut().set_prefix(format!("{end}{gap}"));
    users_of(&mut document)?.push(table);
    checked(&document)
}

/// The text with another hash for an account.
pub fn set_hash(text: &str, name: &str, hash: &Hash) -> Result<String, String> {
    let mut document = parse(text)?;
    let users = users_of(&mut document)?;
    let at = find(users, name)?;
    if let Some(Item::Value(value)) = users.get_mut(at).and_then(|user| user.get_mut("hash")) {
        // A remark behind it stays.
        let decor = value.decor().clone();
        *value = Value::from(hash.text());
        *value.decor_mut() = decor;
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

fn rights(rights: Rights) -> Item {
    match rights.preset() {
        Some(preset) => Item::from(preset),
        None => Item::Value(rights.words().into_iter().collect()),
    }
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
    use crate::accounts::rate::Rates;
    use crate::accounts::users::read_home;

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
            rights: Rights::DROP_BOX,
            rate: Rates::default(),
            line: 0,
            column: 0,
        };
        let added = add(&file, &carol).unwrap();
        assert!(added.starts_with(&file), "{added}");
        let users = users::read(added.as_bytes()).unwrap();
        assert_eq!((users.len(), &users[2].name, &users[2].home), (3, &carol.name, &carol.home));
        let odd = Rights { list: true, mkdir: true, ..Rights::NONE };
        let added = add(&added, &User { name: "dave".into(), rights: odd, ..carol.clone() }).unwrap();
        assert!(added.ends_with("rights = [\"list\", \"mkdir\"]\n"), "{added}");
        assert!(add("", &carol).unwrap().starts_with("[[user]]\nname = \"carol\"\n"));
        assert_eq!(remove(&add("", &carol).unwrap(), "carol").unwrap(), "");
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
