//! What an FTP server asks of TLS (RFC 4217): who must use it, what a data connection must prove, and whom a client's
//! certificate stands for. Knows no certificates of the server's: where they come from is not FTP's business.

use std::sync::Arc;

use futures_rustls::rustls::ServerConfig;

use crate::accounts::certificate::NameField;

/// TLS as FTP has it.
#[derive(Clone)]
pub struct Tls {
    /// How a handshake is done. One for the life of the process, whatever becomes of the certificates; it resumes
    /// nothing by itself.
    pub config: Arc<ServerConfig>,
    /// What is asked.
    pub policy: TlsPolicy,
}

/// What is asked of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsPolicy {
    /// Who must use TLS.
    pub need: TlsNeed,
    /// What a data connection must prove.
    pub resume: Resume,
    /// Whether an upload that ends without `close_notify` is taken for whole.
    pub lenient: bool,
    /// Whether CCC (RFC 2228) may end TLS on the control connection.
    pub ccc: bool,
    /// Whom a client's certificate stands for; nobody, where clients are asked for none.
    pub client: Option<ClientNames>,
}

/// Who must use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsNeed {
    /// Who wants to.
    Optional,
    /// Whoever logs in: before, there is no USER. Data connections are as the client wants them.
    Required,
    /// Whoever logs in; and data goes over TLS too (PROT P).
    DataRequired,
}

/// What a TLS data connection must prove by resuming the session of its control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Nothing: sessions are not resumed.
    Off,
    /// That it is this session's, if it resumes any. One that resumes none is taken too, from the same address.
    Prefer,
    /// That it is this session's.
    Require,
}

/// Whom a client's certificate stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientNames {
    /// Where in it the user's name stands.
    pub field: NameField,
    /// Whether a password is wanted beside it: then nobody logs in under a name that is not the certificate's.
    pub password_too: bool,
}
