//! Whether log directories can be written: asked when Kafka ended by itself, which it does when none of them can.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A file that is made and removed again. Kafka ignores it.
const PROBE: &str = ".kastellan-writable";

/// Why directories cannot be written, as parts of a sentence. A directory that does not exist yet is not looked at.
pub fn failures(directories: &[PathBuf]) -> Vec<String> {
    let tried = directories.iter().filter_map(|path| match probe(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Some(format!("log directory {} cannot be written: {error}", path.display()))
        }
        _ => None,
    });
    tried.collect()
}

fn probe(directory: &Path) -> io::Result<()> {
    let file = directory.join(PROBE);
    OpenOptions::new().write(true).create(true).truncate(true).open(&file)?;
    fs::remove_file(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_written_is_named_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("good")).unwrap();
        fs::create_dir(at("bad")).unwrap();
        // Nobody can write a file where a directory is.
        fs::create_dir(at("bad").join(PROBE)).unwrap();
        let found = failures(&[at("good"), at("bad"), at("not-there")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("/bad cannot be written: Is a directory"), "{found:?}");
        assert_eq!(fs::read_dir(at("good")).unwrap().count(), 0, "nothing stays behind");
    }
}
