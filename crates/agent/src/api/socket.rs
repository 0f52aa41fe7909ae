//! The control socket as a file: created with mode 0600, taken over from an agent that died, and
//! removed at the end.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

use tokio::net::{UnixListener, UnixStream};

use crate::exit::{Failure, Status};

/// A listening control socket. Dropping it removes its file, unless another agent has put its own
/// socket there.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl ControlSocket {
    /// Listens at `path`, unless an agent responds there already.
    pub(crate) async fn bind(path: &Path) -> Result<Self, Failure> {
        if !is_free(path).await? {
            // An agent runs with this path. What to do: stop that agent, or give this one a path of
            // its own with --socket.
            let message = format!(
                "another agent responds at the control socket {}; stop it, or give this agent its own --socket",
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
            // A file that stays is harmless: the next agent finds that nothing listens there and
            // replaces it.
            let _left_behind = fs::remove_file(&self.path);
        }
    }
}

/// Whether there is nothing at `path`, or a socket at which nothing listens.
async fn is_free(path: &Path) -> Result<bool, Failure> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(cannot(path, &error.to_string())),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(cannot(path, "a file that is not a socket is there"));
        }
        Ok(_) => {}
    }
    // A socket's file outlives a killed agent. Only a connection shows whether an agent is there.
    match UnixStream::connect(path).await {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(true),
        Err(error) => Err(cannot(path, &error.to_string())),
    }
}

/// Creates the socket in a folder that only this user can enter, sets its mode, and moves it to its
/// place. So other users cannot connect to it at any moment.
fn make(path: &Path) -> io::Result<(UnixListener, u64)> {
    let name = format!(".kinfolk-{}", std::process::id());
    let folder = path.parent().unwrap_or(Path::new("")).join(name);
    // An agent with the same process id may have left this folder when it was killed at this point.
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

/// The failure to create the socket.
fn cannot(path: &Path, why: &str) -> Failure {
    // The folder does not exist or is not writable, or another file has this name. What to do: give
    // --socket a path in a folder that the agent may write to.
    let advice = "give --socket a path in a folder that you may write to";
    Failure::new(
        Status::Socket,
        format_args!("cannot create the control socket {}: {why}; {advice}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn socket_has_mode_0600_and_is_removed_with_its_agent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.sock");
        let socket = ControlSocket::bind(&path).await.unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn only_a_dead_agents_socket_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a dropped listener leaves its file behind, as a killed agent does");
        let _running = ControlSocket::bind(&path).await.unwrap();
        let refused = ControlSocket::bind(&path).await.unwrap_err();
        assert_eq!(refused.status(), Status::Socket);
        assert!(refused.to_string().contains("another agent"), "{refused}");
    }

    #[tokio::test]
    async fn other_files_are_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert!(ControlSocket::bind(&path).await.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }
}
