//! A memory of bounded size: what was not asked for longest is forgotten first. Knows nothing of what it remembers.

use std::collections::HashMap;
use std::hash::Hash;

/// At most so many values. Two generations instead of a list: when the younger is half of all, it becomes the older, and
/// that is forgotten. So to remember and to forget cost the same however many there are.
pub struct Remembered<K, V> {
    younger: HashMap<K, V>,
    older: HashMap<K, V>,
    most: usize,
}

impl<K: Hash + Eq, V: Default> Remembered<K, V> {
    /// Nothing yet, and never more than `most`.
    pub fn new(most: usize) -> Self {
        Remembered { younger: HashMap::new(), older: HashMap::new(), most }
    }

    /// What is remembered, or a new one in its place.
    pub fn entry(&mut self, key: K) -> &mut V {
        if !self.younger.contains_key(&key) && self.younger.len() >= self.most / 2 {
            self.older = std::mem::take(&mut self.younger);
        }
        let older = &mut self.older;
        self.younger.entry(key).or_insert_with_key(|key| older.remove(key).unwrap_or_default())
    }

    /// What is remembered, if anything.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.younger.get_mut(key) {
            Some(value) => Some(value),
            None => self.older.get_mut(key),
        }
    }

    /// Forgets one.
    pub fn forget(&mut self, key: &K) {
        self.younger.remove(key);
        self.older.remove(key);
    }

    /// Forgets those for which it is true.
    pub fn forget_where(&mut self, is_so: impl Fn(&K) -> bool) {
        self.younger.retain(|key, _| !is_so(key));
        self.older.retain(|key, _| !is_so(key));
    }

    /// How many are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.younger.len() + self.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_is_forgotten_first() {
        let mut memory = Remembered::<u32, u32>::new(100);
        *memory.entry(7) = 1;
        for key in 1000..100_000 {
            *memory.entry(key) += 1;
            // Asked for now and then, it is kept.
            if key % 40 == 0 {
                assert_eq!(*memory.entry(7), 1, "at {key}");
            }
            assert!(memory.len() <= 100, "{}", memory.len());
        }
        assert_eq!(memory.get_mut(&1000), None);
        assert_eq!(memory.get_mut(&99_999), Some(&mut 1));
        memory.forget(&99_999);
        memory.forget_where(|&key| key == 7);
        assert_eq!(memory.get_mut(&99_999), None);
        assert_eq!(memory.get_mut(&7), None);
    }
}
