//! Where the control socket is.

use std::path::{Path, PathBuf};

/// The path when nothing else is said.
pub const DEFAULT_PATH: &str = "/run/anygate/control.sock";

/// The environment variable that names another path.
pub const PATH_VARIABLE: &str = "ANYGATE_SOCKET";

/// The path to connect to: `explicit` (the option `--socket`), else the variable [`PATH_VARIABLE`], else
/// [`DEFAULT_PATH`]. An empty variable counts as absent.
pub fn path(explicit: Option<&Path>) -> PathBuf {
    if let Some(path) = explicit {
        return path.to_owned();
    }
    match std::env::var_os(PATH_VARIABLE) {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => PathBuf::from(DEFAULT_PATH),
    }
}
