//! The driver's names, for programs that are linked with `-lcuda` or `-lnvcuvid`.
//!
//! Each export is the stub of its own slot.

macro_rules! export {
    ($($index:literal $name:ident;)*) => {$(
        /// A driver function; see [`crate::gate`].
        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            crate::gate::arch::stub_body!($index)
        }
    )*};
}

crate::gate::names::driver_names!(export);
