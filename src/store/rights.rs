//! What an account may do, and the words for it, which administrators write and refusals name.
//! It refuses to know who has which right, and what a right is checked for.

/// What an account may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Rights {
    /// See names, sizes and times.
    pub list: bool,
    /// Read files.
    pub read: bool,
    /// Write files whole, replace them, and set their times.
    pub write: bool,
    /// Add to the end of files; contained in `write`.
    pub append: bool,
    /// Make new files, never touching what stands; contained in `write`.
    pub create: bool,
    /// Delete files and directories.
    pub delete: bool,
    /// Rename; replacing something by that needs `delete` or `write` too.
    pub rename: bool,
    /// Make directories.
    pub mkdir: bool,
    /// Set permission bits and the umask, make links.
    pub site: bool,
}

impl Rights {
    /// Nothing at all.
    pub const NONE: Rights = Rights {
        list: false,
        read: false,
        write: false,
        append: false,
        create: false,
        delete: false,
        rename: false,
        mkdir: false,
        site: false,
    };
    /// Look and fetch.
    pub const READ_ONLY: Rights = Rights { list: true, read: true, ..Rights::NONE };
    /// Leave new things behind, and neither see nor touch any.
    pub const DROP_BOX: Rights = Rights { create: true, mkdir: true, ..Rights::NONE };
    /// Everything.
    pub const FULL: Rights = Rights {
        list: true,
        read: true,
        write: true,
        append: true,
        create: true,
        delete: true,
        rename: true,
        mkdir: true,
        site: true,
    };
    /// The words, in the order in which they are shown.
    pub const WORDS: [&str; 9] = ["list", "read", "write", "append", "create", "delete", "rename", "mkdir", "site"];
    /// Names for usual combinations.
    pub const PRESETS: [(&str, Rights); 3] =
        [("read-only", Rights::READ_ONLY), ("full", Rights::FULL), ("drop-box", Rights::DROP_BOX)];

    /// The right that one of [`Rights::WORDS`] stands for.
    pub fn of_word(word: &str) -> Option<Rights> {
        let mut rights = Rights::NONE;
        *rights.flag(word)? = true;
        Some(rights)
    }

    /// The rights that one of [`Rights::PRESETS`] stands for.
    pub fn of_preset(name: &str) -> Option<Rights> {
        Rights::PRESETS.iter().find(|(known, _)| *known == name).map(|(_, rights)| *rights)
    }

    /// The name of just these rights, if they have one.
    pub fn preset(self) -> Option<&'static str> {
        Rights::PRESETS.iter().find(|(_, rights)| *rights == self).map(|(name, _)| *name)
    }

    /// What either of both allows.
    pub fn and(mut self, other: Rights) -> Rights {
        for word in other.words() {
            if let Some(flag) = self.flag(word) {
                *flag = true;
            }
        }
        self
    }

    /// The words of what is allowed.
    pub fn words(mut self) -> Vec<&'static str> {
        Rights::WORDS.into_iter().filter(|word| self.flag(word).is_some_and(|flag| *flag)).collect()
    }

    /// The one place that pairs words and rights.
    fn flag(&mut self, word: &str) -> Option<&mut bool> {
        Some(match word {
            "list" => &mut self.list,
            "read" => &mut self.read,
            "write" => &mut self.write,
            "append" => &mut self.append,
            "create" => &mut self.create,
            "delete" => &mut self.delete,
            "rename" => &mut self.rename,
            "mkdir" => &mut self.mkdir,
            "site" => &mut self.site,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_a_right_of_its_own_and_all_are_everything() {
        for word in Rights::WORDS {
            assert_eq!(Rights::of_word(word).unwrap().words(), [word]);
        }
        let all = Rights::WORDS.into_iter().filter_map(Rights::of_word).fold(Rights::NONE, Rights::and);
        assert_eq!(all, Rights::FULL);
        assert_eq!(Rights::FULL.words(), Rights::WORDS);
        for word in ["", "List", "all", "read-only"] {
            assert_eq!(Rights::of_word(word), None);
        }
    }

    #[test]
    fn presets_have_names() {
        for (name, rights) in Rights::PRESETS {
            assert_eq!((Rights::of_preset(name), rights.preset()), (Some(rights), Some(name)));
        }
        assert_eq!((Rights::of_preset("none"), Rights::NONE.preset()), (None, None));
    }
}
