//! What threads share in the pool goes through here, so that loom's can stand in for it under `--cfg kinfolk_loom`: its
//! only lock, and the atomics beside it. The lock is held for look-ups, by any number of threads at a time, and for changes
//! of state, by one; never across an `.await` and never while a connection is closed or opened.

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
    //! A lock whose readers on different threads write to different cache lines. Look-ups are many and must not slow
    //! each other; changes of state are few and may take all eight parts.

    use std::sync::PoisonError;

    use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};

    #[derive(Debug)]
    pub(crate) struct RwLock<T>(ShardedLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(ShardedLock::new(value))
        }

        /// After a panic under the lock others go on with what it left, as with `parking_lot`'s locks.
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
    //! Loom's lock behind the same face.

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
