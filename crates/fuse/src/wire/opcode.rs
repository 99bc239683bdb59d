//! The numbers of the requests.

/// Defines the opcodes and how many bytes of fixed arguments follow each one's header.
macro_rules! opcodes {
    ($($name:ident = $number:literal, $arguments:ty;)*) => {
        /// What a request asks for (`enum fuse_opcode`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Opcode {
            $($name = $number,)*
        }

        impl Opcode {
            /// The opcode with this number, if we know it.
            pub(crate) fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// How many bytes of fixed arguments precede names and data.
            pub(crate) const fn argument_size(self) -> usize {
                match self {
                    $(Self::$name => size_of::<$arguments>(),)*
                }
            }

            /// What the kernel calls it, but for the case.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

opcodes! {
    Lookup = 1, ();
    Forget = 2, super::ForgetIn;
    Getattr = 3, super::GetattrIn;
    Setattr = 4, super::SetattrIn;
    Readlink = 5, ();
    Symlink = 6, ();
    Mknod = 8, super::MknodIn;
    Mkdir = 9, super::MkdirIn;
    Unlink = 10, ();
    Rmdir = 11, ();
    Rename = 12, super::RenameIn;
    Link = 13, super::LinkIn;
    Open = 14, super::OpenIn;
    Read = 15, super::ReadIn;
    Write = 16, super::WriteIn;
    Statfs = 17, ();
    Release = 18, super::ReleaseIn;
    Fsync = 20, super::FsyncIn;
    Setxattr = 21, super::SetxattrIn;
    Getxattr = 22, super::GetxattrIn;
    Listxattr = 23, super::GetxattrIn;
    Removexattr = 24, ();
    Flush = 25, super::FlushIn;
    Init = 26, super::InitIn;
    Opendir = 27, super::OpenIn;
    Readdir = 28, super::ReadIn;
    Releasedir = 29, super::ReleaseIn;
    Fsyncdir = 30, super::FsyncIn;
    Getlk = 31, super::LockIn;
    Setlk = 32, super::LockIn;
    Setlkw = 33, super::LockIn;
    Access = 34, super::AccessIn;
    Create = 35, super::CreateIn;
    Interrupt = 36, super::InterruptIn;
    Bmap = 37, super::BmapIn;
    Destroy = 38, ();
    Ioctl = 39, super::IoctlIn;
    Poll = 40, super::PollIn;
    NotifyReply = 41, super::NotifyRetrieveIn;
    BatchForget = 42, super::BatchForgetIn;
    Fallocate = 43, super::FallocateIn;
    ReaddirPlus = 44, super::ReadIn;
    Rename2 = 45, super::Rename2In;
    Lseek = 46, super::LseekIn;
    CopyFileRange = 47, super::CopyFileRangeIn;
    Syncfs = 50, super::SyncfsIn;
    Tmpfile = 51, super::CreateIn;
    Statx = 52, super::StatxIn;
    CopyFileRange64 = 53, super::CopyFileRangeIn;
}

impl Opcode {
    /// Whether the kernel waits for an answer.
    pub(crate) const fn is_answered(self) -> bool {
        !matches!(self, Self::Forget | Self::BatchForget | Self::Interrupt | Self::NotifyReply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_opcodes_match_both_ways() {
        for &opcode in Opcode::ALL {
            assert_eq!(Opcode::from_number(opcode as u32), Some(opcode));
        }
        assert_eq!(Opcode::from_number(7), None);
        assert_eq!(Opcode::from_number(4096), None);
    }

    #[test]
    fn arguments_fit_the_ring_header() {
        for &opcode in Opcode::ALL {
            assert!(opcode.argument_size() <= 128, "{opcode:?}");
        }
    }
}
