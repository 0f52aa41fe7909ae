//! What threads share in the pool goes through here, so that loom's can stand in for it under `--cfg kinfolk_loom`: its
//! only lock, and the atomics beside it. The lock is held for look-ups and changes of state, never across an `.await` and
//! never while a connection is closed or opened.

#[cfg(not(kinfolk_loom))]
pub(crate) use parking_lot::Mutex;
#[cfg(not(kinfolk_loom))]
pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[cfg(kinfolk_loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
#[cfg(kinfolk_loom)]
pub(crate) use under_loom::Mutex;

#[cfg(kinfolk_loom)]
mod under_loom {
    //! Loom's mutex behind the face of `parking_lot`'s.

    use loom::sync::MutexGuard;

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a thread that panics ends the model, so no lock is ever poisoned")
        }
    }
}
