//! Sets of flags as the kernel numbers them.

/// Defines a newtype over an integer whose bits are named.
///
/// Bits without a name are kept: a newer kernel may know them.
macro_rules! flags {
    ($(#[$outer:meta])* $name:ident: $bits:ty {
        $($(#[$inner:meta])* $flag:ident = $value:expr;)*
    }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $name($bits);

        impl $name {
            $($(#[$inner])* pub const $flag: Self = Self($value);)*

            /// No flag.
            pub const NONE: Self = Self(0);

            /// The set with exactly these bits, known or not.
            pub const fn from_bits(bits: $bits) -> Self {
                Self(bits)
            }

            /// The bits as the kernel numbers them.
            pub const fn bits(self) -> $bits {
                self.0
            }

            /// Whether every flag of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The flags of both sets.
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The flags that are in both sets.
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// The flags that are not in `other`.
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// The names of the flags that are set.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                const NAMES: &[(&str, $bits)] = &[$((stringify!($flag), $value)),*];
                NAMES.iter().filter(move |(_, bit)| self.0 & bit != 0).map(|(name, _)| *name)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl std::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: Self) {
                *self = self.union(other);
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, concat!(stringify!($name), "({:#x}"), self.0)?;
                for name in self.names() {
                    write!(formatter, " {name}")?;
                }
                write!(formatter, ")")
            }
        }
    };
}

pub(crate) use flags;

#[cfg(test)]
mod tests {
    #![expect(unreachable_pub, reason = "the macro defines public types")]

    flags! {
        /// Two bits.
        Sample: u32 {
            /// The first.
            ONE = 1;
            /// The second.
            TWO = 2;
        }
    }

    #[test]
    fn unknown_bits_are_kept_and_known_ones_are_named() {
        let set = Sample::ONE | Sample::from_bits(64);
        assert!(set.contains(Sample::ONE) && !set.contains(Sample::TWO));
        assert_eq!(set.bits(), 65);
        assert_eq!(Sample::NONE, Sample::default());
        assert_eq!(format!("{set:?}"), "Sample(0x41 ONE)");
        assert_eq!(set.without(Sample::ONE).intersection(set), Sample::from_bits(64));
    }
}
