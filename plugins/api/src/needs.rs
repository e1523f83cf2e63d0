//! What a service needs of the machine once it is served. The process gives everything else up before it serves anybody, so
//! what nobody has asked for here cannot be had later. Knows paths and ports, and no kernel.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// A list that every part of a server adds its needs to.
///
/// ```
/// let mut needs = gftp_plugin::Needs::default();
/// needs.reads("/etc/gftp/cert.pem").keeps("/var/lib/gftp/bans").connects();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Needs {
    files: Vec<(PathBuf, Access)>,
    ports: Vec<RangeInclusive<u16>>,
    connects: bool,
}

/// What may be done with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// A file is read, again and again, also when another one has been put in its place.
    Read,
    /// A file is appended to, and made anew where it has been moved away.
    Append,
    /// A file is read, and replaced by a rename within its folder.
    Keep,
    /// A folder and all that is in it is read.
    ReadTree,
    /// A folder and all that is in it is read, and changed in every way.
    WriteTree,
    /// Programs are run: whatever the user may run.
    Run,
}

impl Needs {
    /// To read a file, and what takes its place. That takes its whole folder: such files are best in one of their own. Of a
    /// folder: the files that are in it.
    pub fn reads(&mut self, file: impl Into<PathBuf>) -> &mut Self {
        self.add(file, Access::Read)
    }

    /// To append to a file, and to make it anew.
    pub fn appends(&mut self, file: impl Into<PathBuf>) -> &mut Self {
        self.add(file, Access::Append)
    }

    /// To read a file and replace it by a new one, made beside it.
    pub fn keeps(&mut self, file: impl Into<PathBuf>) -> &mut Self {
        self.add(file, Access::Keep)
    }

    /// To read all that is in a folder.
    pub fn reads_tree(&mut self, folder: impl Into<PathBuf>) -> &mut Self {
        self.add(folder, Access::ReadTree)
    }

    /// To change all that is in a folder, too.
    pub fn writes_tree(&mut self, folder: impl Into<PathBuf>) -> &mut Self {
        self.add(folder, Access::WriteTree)
    }

    /// To run programs. They inherit the confinement, so nothing is left of it for reading, running and connecting; and for
    /// writing only this much: where the server may, and where temporary files are.
    pub fn runs_programs(&mut self) -> &mut Self {
        self.connects = true;
        self.add("/", Access::Run)
    }

    /// To listen on these TCP ports later than at the start; 0 stands for any that the system gives.
    pub fn listens(&mut self, ports: RangeInclusive<u16>) -> &mut Self {
        if !self.ports.contains(&ports) {
            self.ports.push(ports);
        }
        self
    }

    /// To connect to others by TCP.
    pub fn connects(&mut self) -> &mut Self {
        self.connects = true;
        self
    }

    /// All that another list holds.
    pub fn and(&mut self, other: Needs) -> &mut Self {
        self.files.extend(other.files);
        self.ports.extend(other.ports);
        self.connects |= other.connects;
        self
    }

    /// The paths, and what may be done with each.
    pub fn files(&self) -> impl Iterator<Item = (&Path, Access)> {
        self.files.iter().map(|(path, access)| (path.as_path(), *access))
    }

    /// The ports.
    pub fn ports(&self) -> &[RangeInclusive<u16>] {
        &self.ports
    }

    /// Whether anybody connects to others.
    pub fn is_connecting(&self) -> bool {
        self.connects
    }

    /// Whether anybody runs programs.
    pub fn is_running_programs(&self) -> bool {
        self.files.iter().any(|(_, access)| *access == Access::Run)
    }

    fn add(&mut self, path: impl Into<PathBuf>, access: Access) -> &mut Self {
        let need = (path.into(), access);
        if !self.files.contains(&need) {
            self.files.push(need);
        }
        self
    }
}
