//! The one test binary: each room below holds the tests of one theme.

/// The one door: starts the server under test, finds its address, ends it and checks that it ended well.
mod server;

/// The users file, logins, and what accounts may do and cost.
mod accounts;

/// Attacks, one bound each: the server stays up and goes on serving honest clients.
mod abuse;

/// Certificates from the administrator's side: named, made, renewed, broken.
mod certificates;

/// How fast transfers may go, measured over real sockets, and how little that costs.
mod bandwidth;

/// Real FTP clients, driven as people drive them; every result is verified on the server's disk.
mod clients;

/// What is typed, what a mistake is answered, and what stands in the log.
mod command_line;

/// Bans, rates and networks, of all services alike.
mod bans;

/// Compressed transfers, against another zlib.
mod compressed;

/// What the process gives up before it serves anybody, and what the kernel then stops.
mod confine;

/// Dialogues as data, played against a server over IPv4 and IPv6.
mod dialogue;

/// Digests against other programs, and what they may cost.
mod digests;

/// Disks that are full, read-only, somebody else's or another one.
mod disk;

/// Failures of other servers: a dialogue for each, named after the server and the report.
mod peers;

/// Behind a proxy that speaks the PROXY protocol.
mod proxies;

/// The rules of the house (ARCHITECTURE.md) that a program can see, checked over the source text.
mod house;

/// What an administrator finds in the log of each session.
mod log;

/// That `benches/peers` can be started and says who is ahead; nothing is timed here.
mod measuring;

/// A server in a network of its own, where addresses are not loopback's.
mod network;

/// The two clients among the plugins, as programs: in pipes, and in a real terminal.
mod plugin_clients;

/// Plugins beside FTP and alone: how they are asked for, and what they share.
mod plugins;

/// What each verb needs and no other right will do.
mod policy;

/// Programs as plugins: one for each connection.
mod programs;

/// Bugs that were ours: one test each, named after what went wrong.
mod regressions;

/// Dialogues of other services than FTP as data, played against each in this process, with its clock set by hand.
mod services;

/// Text in both directions, against a conversion that is not ours.
mod text;

/// TLS: what comes before it and behind it, and whose data connections are whose.
mod tls;

/// Commands that take long on the server's own disk, and sessions that ask for time.
mod work;
