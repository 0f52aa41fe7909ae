//! Named events, as they travel in broadcasts: the name, a zero byte, and the payload.
//!
//! A program with the library reads and sends them as any other broadcast.

/// A named event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserEvent {
    pub(crate) name: String,
    pub(crate) payload: String,
}

/// The longest name in bytes, as for nodes and services.
const NAME_BYTES_MAX: usize = 63;
/// The longest payload in bytes: what a broadcast has left beside the longest name.
const PAYLOAD_BYTES_MAX: usize = kinfolk::USER_PAYLOAD_MAX - NAME_BYTES_MAX - 1;

impl UserEvent {
    /// Makes an event, after checking its name and its length.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(crate) fn new(name: &str, payload: &str) -> Result<Self, String> {
        if !is_name(name) {
            return Err(format!(
                "the name {name:?} is not the name of an event; give 1 to {NAME_BYTES_MAX} characters of A-Z, a-z, \
                 0-9, '.', '_' and '-', and a letter or digit first"
            ));
        }
        let (len, max) = (payload.len(), PAYLOAD_BYTES_MAX);
        if len > max {
            return Err(format!(
                "the payload takes {len} bytes, and the limit is {max}; send a key, and let the members get the value \
                 from where it is stored"
            ));
        }
        Ok(Self { name: name.to_owned(), payload: payload.to_owned() })
    }

    /// The bytes of the broadcast.
    pub(crate) fn encode(&self) -> Vec<u8> {
        [self.name.as_bytes(), &[0], self.payload.as_bytes()].concat()
    }

    /// Reads a broadcast. `None` if it is not a named event.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (name, payload) = str::from_utf8(bytes).ok()?.split_once('\0')?;
        is_name(name).then(|| Self { name: name.to_owned(), payload: payload.to_owned() })
    }
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    first && rest && name.len() <= NAME_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_reads_back_and_other_broadcasts_do_not() {
        let event = UserEvent::new("deploy.web", "v1\0.2").unwrap();
        assert_eq!(UserEvent::decode(&event.encode()), Some(event));
        for other in [&b"text"[..], b"", b"\0x", b"a b\0x", b"a\0\xff", b"-a\0x"] {
            assert_eq!(UserEvent::decode(other), None, "{other:?}");
        }
    }

    #[test]
    fn wrong_name_and_long_payload_are_refused() {
        for name in ["", "a b", "-a", "\u{e4}", &"a".repeat(64)] {
            assert!(UserEvent::new(name, "").unwrap_err().contains("give 1 to 63 characters"), "{name}");
        }
        assert!(UserEvent::new("a", &"x".repeat(960)).is_ok());
        assert!(UserEvent::new("a", &"x".repeat(961)).unwrap_err().contains("the limit is 960"));
    }
}
