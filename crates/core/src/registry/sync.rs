//! The only lock of the registry. It is in its own file so that loom's lock can replace it
//! (`--cfg kinfolk_loom`).

#[cfg(not(kinfolk_loom))]
pub(super) use parking_lot::RwLock;

#[cfg(kinfolk_loom)]
pub(super) use self::model::RwLock;

#[cfg(kinfolk_loom)]
mod model {
    //! Loom's lock with the interface of the lock in `parking_lot`, which has no poisoning.

    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
            self.0.read().expect("no thread panics while it holds the registry's lock")
        }

        pub(crate) fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
            self.0.write().expect("no thread panics while it holds the registry's lock")
        }
    }
}
