//! The file with the tokens of clients: a role and a token a line.
//!
//! ```text
//! read  jE0vP7kd2mQyT4s8w1xZ
//! admin cert:ops.example.com
//! ```
//! The second form gives a role to a client certificate with this DNS name.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use tokio_rustls::rustls::pki_types::ServerName;

use super::Role;

/// The shortest token in characters: 16 of 64 characters are 96 bits.
const TOKEN_LEN_MIN: usize = 16;
/// The most bytes of the file: many more tokens than one agent needs.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The tokens and client names of a file. It has only the hashes of the tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    tokens: Vec<([u8; 32], Role)>,
    names: Vec<(ServerName<'static>, Role)>,
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// The file cannot be read, other users can read it, or a line is wrong.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let cannot = |error| format!("cannot read the tokens {shown}: {error}; check the path and its owner");
        let file = File::open(path).map_err(cannot)?;
        let mode = file.metadata().map_err(cannot)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "other users can read the tokens {shown} (mode {mode:04o}); run `chmod 600 {shown}`, and replace the \
                 tokens if others may have read them"
            ));
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(cannot)?;
        Self::parse(&text).map_err(|why| format!("in the tokens {shown}, {why}"))
    }

    /// Reads the lines. An error has the line's number, and never a token.
    fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let (Some(role), Some(token), None) = (words.next(), words.next(), words.next()) else {
                return Err(format!(
                    "line {number}: give a role and a token, such as `read jE0vP7kd2mQyT4s8w1xZ`"
                ));
            };
            let role: Role = role.parse().map_err(|why| format!("line {number}: {why}"))?;
            if let Some(name) = token.strip_prefix("cert:") {
                let name = ServerName::try_from(name.to_owned()).map_err(|_| {
                    format!(
                        "line {number}: {name:?} is not a DNS name; give one, such as cert:ops.example.com"
                    )
                })?;
                tokens.names.push((name, role));
            } else if token.len() < TOKEN_LEN_MIN {
                return Err(format!(
                    "line {number}: the token is too short; give at least {TOKEN_LEN_MIN} characters"
                ));
            } else {
                tokens.tokens.push((hash(token), role));
            }
        }
        if tokens.tokens.is_empty() && tokens.names.is_empty() {
            return Err(
                "there is no line with a role and a token; add one, such as `read jE0vP7kd2mQyT4s8w1xZ`"
                    .to_owned(),
            );
        }
        Ok(tokens)
    }

    /// The role of a token. It takes the same time for each wrong token.
    pub(super) fn role_of(&self, token: &str) -> Option<Role> {
        let given = hash(token);
        let mut role = None;
        // All of them, so that the time does not say where a match is.
        for (known, its_role) in &self.tokens {
            if verify_slices_are_equal(known, &given).is_ok() {
                role = role.max(Some(*its_role));
            }
        }
        role
    }

    /// The client names, with their roles.
    pub(super) fn names(&self) -> &[(ServerName<'static>, Role)] {
        &self.names
    }

    /// Whether clients can be told apart by a token.
    pub(super) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }
}

fn hash(token: &str) -> [u8; 32] {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const READ: &str = "read-token-0123456789";
    const ADMIN: &str = "admin-token-0123456789";

    #[test]
    fn token_has_the_role_of_its_line() {
        let text = format!("# people\nread {READ}\n\nadmin\t{ADMIN}\nwrite cert:ops.example.com\n");
        let tokens = Tokens::parse(&text).unwrap();
        assert_eq!(tokens.role_of(READ), Some(Role::Read));
        assert_eq!(tokens.role_of(ADMIN), Some(Role::Admin));
        for wrong in ["", &READ[1..], &ADMIN.to_uppercase()] {
            assert_eq!(tokens.role_of(wrong), None);
        }
        assert_eq!(tokens.names().len(), 1);
    }

    #[test]
    fn wrong_line_is_named_without_its_token() {
        let fault = |text: &str| Tokens::parse(text).unwrap_err();
        assert!(fault("# nothing\n").contains("no line with a role"));
        assert!(fault("\nsecret").starts_with("line 2: give a role and a token"));
        assert!(fault("root secret-secret-secret").contains("\"root\" is not a role"));
        assert!(fault("read short").contains("at least 16 characters"));
        assert!(fault("read cert:a b").contains("give a role and a token"));
        assert!(fault("read cert:a_/").contains("is not a DNS name"));
        assert!(!fault("read secret-secret-secret more").contains("secret"));
    }

    #[test]
    fn file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, format!("read {READ}\n")).unwrap();
        for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Tokens::read(&path).is_ok(), is_fine, "{mode:o}");
        }
        assert!(Tokens::read(&path).unwrap_err().contains("chmod 600"));
    }
}
