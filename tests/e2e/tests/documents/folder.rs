//! A folder for the files of one test.

use std::path::{Path, PathBuf};

/// A folder that everybody may enter, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one.
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("anygate-documents-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
