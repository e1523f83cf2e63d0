//! Who may move how many bytes when: three caps above each other (the whole server, a user, a session), and what each
//! gives shared equally among those who want it. Pure: the time is told, and nobody is woken from here.
//!
//! It is start-time fair queueing: whoever has had least is next, and who comes or comes back counts as one who has had as
//! much as the last one served; but who has waited for a second is next in any case. Sessions stand in the queue of their
//! user, users in the queue of the whole, each for that one of its sessions whose turn it is; who waits for a cap of its own
//! holds up nobody.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use super::cap::{Cap, LEAST_GRANT};
use super::queue::{Queue, Standing};

/// The first grant of a transfer; it doubles while more is wanted at once.
const FIRST_GRANT: u64 = 16 * 1024;
/// The largest one: some milliseconds of a fast peer, so that asking costs nothing beside it.
const LARGEST_GRANT: u64 = 8 * 1024 * 1024;
/// Whoever wants more so soon after a grant has larger ones from then on: each costs a little.
const TOO_SOON: Duration = Duration::from_millis(25);
/// And smaller ones who does so as late as this, and would only keep from others what it cannot use yet.
const TOO_LATE: Duration = Duration::from_millis(100);
/// Users that are remembered until there are so many: to look through these costs nothing.
const FEW_USERS: usize = 64;

/// A session under caps.
#[derive(Debug)]
struct Member {
    user: u64,
    cap: Cap,
    /// What it has had, in the reckoning of its user's queue and of the whole's.
    had: [u64; 2],
    /// Where it stands in its user's queue, if it wants something.
    wants: Option<Standing>,
    /// How much it is to be granted, if it may be.
    grant: u64,
    /// When it was last granted something in this transfer.
    granted_at: Option<Duration>,
}

/// A user with its sessions, or one session without a user.
#[derive(Debug)]
struct User {
    /// The account; none for one session alone.
    name: Option<Box<[u8]>>,
    cap: Cap,
    queue: Queue,
    members: usize,
    /// Where it stands in the whole's queue, if one of its sessions wants something.
    wants: Option<Standing>,
}

/// What somebody may move now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub member: u64,
    /// Bytes, at least one.
    pub bytes: u64,
    /// What it may have in a second, as things are.
    pub a_second: u64,
}

/// All who share a server's bandwidth in one direction.
#[derive(Debug)]
pub struct Fair {
    whole: Cap,
    queue: Queue,
    users: HashMap<u64, User>,
    members: HashMap<u64, Member>,
    names: HashMap<Box<[u8]>, u64>,
    next: u64,
    /// How many want something.
    wanting: u64,
    /// When there are so many names, those that need not be remembered are forgotten.
    most_names: usize,
}

impl Fair {
    /// Nobody, under this cap.
    pub fn new(rate: Option<NonZeroU64>) -> Fair {
        Fair {
            whole: Cap::new(rate),
            queue: Queue::default(),
            users: HashMap::new(),
            members: HashMap::new(),
            names: HashMap::new(),
            next: 0,
            wanting: 0,
            most_names: FEW_USERS,
        }
    }

    /// A session enters; its number. An account's rate is the one that was told last.
    pub fn enter(&mut self, session: Option<NonZeroU64>, user: Option<(&[u8], NonZeroU64)>, now: Duration) -> u64 {
        let user = match user {
            Some((name, rate)) => {
                let user = match self.names.get(name) {
                    Some(user) => *user,
                    None => self.new_user(Some(name.into()), now),
                };
                if let Some(user) = self.users.get_mut(&user) {
                    user.cap.set(Some(rate));
                }
                user
            }
            None => self.new_user(None, now),
        };
        if let Some(user) = self.users.get_mut(&user) {
            user.members += 1;
        }
        let cap = Cap::new(session);
        let member = Member { user, cap, had: [0; 2], wants: None, grant: FIRST_GRANT, granted_at: None };
        let number = self.number();
        self.members.insert(number, member);
        number
    }

    fn new_user(&mut self, name: Option<Box<[u8]>>, now: Duration) -> u64 {
        if self.names.len() >= self.most_names {
            // One who comes back at once is not to find a rested cap; who has rested may be forgotten.
            self.users.retain(|_, user| user.members > 0 || !user.cap.is_rested(now));
            self.names.retain(|_, user| self.users.contains_key(user));
            self.most_names = FEW_USERS.max(2 * self.names.len());
        }
        let number = self.number();
        if let Some(name) = &name {
            self.names.insert(name.clone(), number);
        }
        let (cap, queue) = (Cap::new(None), Queue::default());
        self.users.insert(number, User { name, cap, queue, members: 0, wants: None });
        number
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A session leaves.
    pub fn leave(&mut self, member: u64, now: Duration) {
        self.rest(member, 0, now);
        let Some(Member { user: number, .. }) = self.members.remove(&member) else { return };
        let Some(user) = self.users.get_mut(&number) else { return };
        user.members -= 1;
        if user.members == 0 && user.name.is_none() {
            self.users.remove(&number);
        }
    }

    /// A session wants to move bytes. It does well to say so a little before it has moved what it was granted: whoever is
    /// slow would have to stand still otherwise, waiting for its turn.
    pub fn ask(&mut self, member: u64, now: Duration) {
        let Some(asking) = self.members.get_mut(&member).filter(|asking| asking.wants.is_none()) else { return };
        let Some(user) = self.users.get_mut(&asking.user) else { return };
        asking.had = [asking.had[0].max(user.queue.level), asking.had[1].max(self.queue.level)];
        match asking.granted_at.map(|at| now.saturating_sub(at)) {
            Some(since) if since < TOO_SOON => asking.grant = (asking.grant * 2).min(LARGEST_GRANT),
            Some(since) if since > TOO_LATE => asking.grant = (asking.grant / 2).max(FIRST_GRANT),
            _ => {}
        }
        let standing = Standing { had: asking.had[0], at: asking.cap.free_at().max(now) };
        asking.wants = Some(standing);
        user.queue.put(member, standing, now);
        self.wanting += 1;
        let user = asking.user;
        self.place(user, now);
    }

    /// A session wants nothing any more, and gives back what it was granted and has not moved.
    pub fn rest(&mut self, member: u64, unmoved: u64, now: Duration) {
        let Some(resting) = self.members.get_mut(&member) else { return };
        let Some(user) = self.users.get_mut(&resting.user) else { return };
        if let Some(standing) = resting.wants.take() {
            user.queue.remove(member, standing);
            self.wanting -= 1;
        }
        for cap in [&mut resting.cap, &mut user.cap, &mut self.whole] {
            cap.give_back(unmoved);
        }
        resting.had = resting.had.map(|had| had.saturating_sub(unmoved));
        (resting.grant, resting.granted_at) = (FIRST_GRANT, None);
        let user = resting.user;
        self.place(user, now);
    }

    /// A session has moved more than it was granted.
    pub fn overdraw(&mut self, member: u64, bytes: u64, now: Duration) {
        let Some(member) = self.members.get_mut(&member) else { return };
        let Some(user) = self.users.get_mut(&member.user) else { return };
        for cap in [&mut member.cap, &mut user.cap, &mut self.whole] {
            cap.take(bytes, now);
        }
        member.had = member.had.map(|had| had.saturating_add(bytes));
        let user = member.user;
        self.place(user, now);
    }

    /// Grants what may be granted now.
    pub fn deal(&mut self, now: Duration) -> Vec<Grant> {
        let mut grants = Vec::new();
        loop {
            while let Some(user) = self.queue.woken(now) {
                self.place(user, now);
            }
            let turn = self.queue.first(now).filter(|_| self.whole.free_at() <= now);
            let Some((user, grant)) = turn.and_then(|user| Some((user, self.grant(user, now)?))) else { return grants };
            grants.push(grant);
            self.place(user, now);
        }
    }

    /// When there may be something to deal; none where nobody wants anything.
    pub fn next(&self) -> Option<Duration> {
        self.queue.next().map(|at| at.max(self.whole.free_at()))
    }

    /// Grants something to that session of a user whose turn it is.
    fn grant(&mut self, user: u64, now: Duration) -> Option<Grant> {
        let user = self.users.get_mut(&user)?;
        let number = user.queue.first(now)?;
        let member = self.members.get_mut(&number)?;
        let (wanting, of_user) = (self.wanting, user.queue.len() as u64);
        user.queue.remove(number, member.wants.take()?);
        self.wanting -= 1;
        member.granted_at = Some(now);
        let caps = [(&member.cap, 1), (&user.cap, of_user), (&self.whole, wanting)];
        let most = caps.iter().map(|(cap, wanting)| cap.largest_grant(*wanting)).min().unwrap_or(LEAST_GRANT);
        let a_second = caps.iter().map(|(cap, wanting)| cap.share(*wanting)).min().unwrap_or(u64::MAX);
        member.grant = member.grant.min(most);
        let bytes = member.grant;
        user.queue.level = member.had[0];
        self.queue.level = self.queue.level.max(member.had[1]);
        member.had = member.had.map(|had| had.saturating_add(bytes));
        for cap in [&mut member.cap, &mut user.cap, &mut self.whole] {
            cap.take(bytes, now);
        }
        Some(Grant { member: number, bytes, a_second })
    }

    /// Puts a user where it belongs in the whole's queue, after anything has changed for it.
    fn place(&mut self, number: u64, now: Duration) {
        let Some(user) = self.users.get_mut(&number) else { return };
        if let Some(standing) = user.wants.take() {
            self.queue.remove(number, standing);
        }
        while let Some(member) = user.queue.woken(now) {
            let Some(standing) = self.members.get(&member).and_then(|member| member.wants) else { return };
            user.queue.remove(member, standing);
            user.queue.put(member, standing, now);
        }
        let Some(at) = user.queue.next() else { return };
        let first = user.queue.first(now).and_then(|member| self.members.get(&member));
        let had = first.map_or(0, |member| member.had[1]);
        let standing = Standing { had, at: at.max(user.cap.free_at()) };
        user.wants = Some(standing);
        self.queue.put(number, standing, now);
    }
}
