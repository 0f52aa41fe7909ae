//! The synchronization primitives of the pool: its only lock, and its atomics. All code of the pool
//! uses these, so that `--cfg kinfolk_loom` can replace them with loom's.
//!
//! Any number of threads hold the lock for look-ups, and one thread holds it for a change of state.
//! It is never held across an `.await`, or while a connection is opened or closed.

#[cfg(not(kinfolk_loom))]
pub(crate) use sharded::RwLock;
#[cfg(not(kinfolk_loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(kinfolk_loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(kinfolk_loom)]
pub(crate) use under_loom::RwLock;

#[cfg(not(kinfolk_loom))]
mod sharded {
    //! A lock whose readers on different threads write to different cache lines. Look-ups are
    //! frequent and must not slow each other down. Changes of state are rare and may take all eight
    //! shards.

    use std::sync::PoisonError;

    use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};

    #[derive(Debug)]
    pub(crate) struct RwLock<T>(ShardedLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(ShardedLock::new(value))
        }

        /// After a panic under the lock, other threads go on with the state that it left, as with
        /// `parking_lot`'s locks.
        pub(crate) fn read(&self) -> ShardedLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        /// As [`read`](Self::read).
        pub(crate) fn write(&self) -> ShardedLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(kinfolk_loom)]
mod under_loom {
    //! Loom's lock with the same interface.

    use loom::sync::{RwLockReadGuard, RwLockWriteGuard};

    #[derive(Debug)]
    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().expect("a thread that panics ends the model, so no lock is ever poisoned")
        }

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().expect("a thread that panics ends the model, so no lock is ever poisoned")
        }
    }
}
