//! The one declaration of every event that the stack counts, and of every reason for which it drops, refuses or
//! resets (invariant 6). Metrics, traces, the CLI and the tests read this table.

/// Declares an enum whose variants are counters, with a name and one line of help each, and the array that holds
/// their values.
#[macro_export]
macro_rules! counters {
    ($(#[$doc:meta])* $vis:vis enum $name:ident / $values:ident { $($variant:ident = $text:literal, $help:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        $vis enum $name { $(#[doc = $help] $variant),+ }

        impl $name {
            /// Every variant, in order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The name that metrics, traces and the CLI print.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// One line on what it means.
            pub const fn help(self) -> &'static str {
                match self { $($name::$variant => $help),+ }
            }
        }

        /// The values, one a variant.
        #[derive(Clone, PartialEq, Eq, Debug)]
        $vis struct $values([u64; $name::ALL.len()]);

        impl Default for $values {
            fn default() -> Self {
                $values([0; $name::ALL.len()])
            }
        }

        impl $values {
            /// Adds one.
            #[inline]
            pub fn bump(&mut self, which: $name) {
                self.add(which, 1);
            }

            /// Adds `n`.
            #[inline]
            pub fn add(&mut self, which: $name, n: u64) {
                self.0[which as usize] = self.0[which as usize].wrapping_add(n);
            }

            /// The value of one counter.
            #[inline]
            pub fn get(&self, which: $name) -> u64 {
                self.0[which as usize]
            }

            /// All values with their variants, in order of declaration.
            pub fn iter(&self) -> impl Iterator<Item = ($name, u64)> + '_ {
                $name::ALL.iter().map(|&which| (which, self.get(which)))
            }
        }
    };
}
