//! The control socket as a file: made with mode 0600, taken over from an agent that has died, removed at the end.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

use tokio::net::{UnixListener, UnixStream};

use crate::exit::{Failure, Status};

/// A listening control socket. Its file is removed when it is dropped, unless another agent has put its own there.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl ControlSocket {
    /// Listens at `path`, unless an agent answers there already.
    pub(crate) async fn bind(path: &Path) -> Result<Self, Failure> {
        if !is_free(path).await? {
            let message = format!(
                "another agent answers at the control socket {}: stop it, or give this one its own --socket",
                path.display()
            );
            return Err(Failure::new(Status::Socket, message));
        }
        let made = make(path);
        let (listener, inode) = made.map_err(|error| cannot(path, &error.to_string()))?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            // A file that stays behind does no harm: the next agent finds that nobody answers and takes its place.
            let _left_behind = fs::remove_file(&self.path);
        }
    }
}

/// Whether there is nothing at `path`, or a socket on which nobody listens.
async fn is_free(path: &Path) -> Result<bool, Failure> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(cannot(path, &error.to_string())),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(cannot(path, "a file that is no socket is there"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(true),
        Err(error) => Err(cannot(path, &error.to_string())),
    }
}

/// Makes the socket in a folder that only we can enter, and moves it to its place when its mode is set: at no moment can
/// others connect to it.
fn make(path: &Path) -> io::Result<(UnixListener, u64)> {
    let name = format!(".kinfolk-{}", std::process::id());
    let folder = path.parent().unwrap_or(Path::new("")).join(name);
    // What an agent of the same process id left behind when it was killed right here.
    let _nothing_there = fs::remove_dir_all(&folder);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let made = (|| {
        let inside = folder.join("s");
        let listener = UnixListener::bind(&inside)?;
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o600))?;
        let inode = fs::symlink_metadata(&inside)?.ino();
        fs::rename(&inside, path)?;
        Ok((listener, inode))
    })();
    fs::remove_dir_all(&folder)?;
    made
}

fn cannot(path: &Path, why: &str) -> Failure {
    let advice = "give a path in a folder that you may write to with --socket";
    Failure::new(
        Status::Socket,
        format_args!("the control socket {} cannot be made: {why}; {advice}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_has_mode_0600_and_goes_with_its_agent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.sock");
        let socket = ControlSocket::bind(&path).await.unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_dead_agents_socket_is_taken_over_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a dropped listener leaves its file behind, as a killed agent does");
        let _living = ControlSocket::bind(&path).await.unwrap();
        let refused = ControlSocket::bind(&path).await.unwrap_err();
        assert_eq!(refused.status(), Status::Socket);
        assert!(refused.to_string().contains("another agent"), "{refused}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert!(ControlSocket::bind(&path).await.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }
}
