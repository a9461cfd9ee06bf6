//! Which jars there are, and which classes are in them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How deep folders are looked into.
const DEPTH: usize = 6;
/// Jars that are found at most: more make a command line that no kernel takes.
const MOST: usize = 1000;
/// Entries of folders that are looked at: a folder of jars has far fewer, and the whole of a container has more.
const MOST_VISITED: usize = 20_000;
/// The longest list of contents of a jar that is read.
const LONGEST_LIST: u64 = 64 * 1024 * 1024;
/// Bytes of the record at the end of a jar, without its comment.
const END: usize = 22;
/// Bytes of an entry in the list, without its texts.
const ENTRY: usize = 46;
/// How a jar's last record begins.
const END_MARK: [u8; 4] = [0x50, 0x4b, 0x05, 0x06];
/// How an entry of the list begins.
const ENTRY_MARK: [u8; 4] = [0x50, 0x4b, 0x01, 0x02];

/// The jars below a folder, in the order of their paths; none if there is no such folder.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let mut search = Search { found: Vec::new(), visited: 0 };
    search.add_below(folder, DEPTH);
    let mut found = search.found;
    found.sort();
    found.truncate(MOST);
    found
}

struct Search {
    found: Vec<PathBuf>,
    visited: usize,
}

impl Search {
    fn add_below(&mut self, folder: &Path, depth: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            self.visited += 1;
            if self.visited > MOST_VISITED {
                return;
            }
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // What begins with a dot is the kubelet's own: the versions of a mounted ConfigMap, to which the names beside it lead.
            if name.starts_with('.') {
                continue;
            }
            // A link to a folder may lead round in a circle.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth > 0 && self.found.len() < MOST {
                    self.add_below(&path, depth - 1);
                }
            } else if name.ends_with(".jar") && path.is_file() {
                self.found.push(path);
            }
        }
    }
}

/// Whether the jar has the class, which is named as in Java (`a.b.C`). A jar that cannot be read has none.
pub fn has_class(jar: &Path, class: &str) -> bool {
    let entry = format!("{}.class", class.replace('.', "/"));
    lists(jar, entry.as_bytes()).unwrap_or_default()
}

/// Whether the list at the end of a jar has the entry.
fn lists(jar: &Path, wanted: &[u8]) -> io::Result<bool> {
    // Whoever opens a pipe waits for a writer.
    if !std::fs::metadata(jar)?.is_file() {
        return Err(no_jar());
    }
    let list = list_of(&mut File::open(jar)?)?;
    let mut rest = list.as_slice();
    while rest.starts_with(&ENTRY_MARK) && rest.len() >= ENTRY {
        let texts = [28, 30, 32].map(|at| usize::from(number(rest, at)));
        let [name, ..] = texts;
        if rest.get(ENTRY..ENTRY + name) == Some(wanted) {
            return Ok(true);
        }
        rest = rest.get(ENTRY + texts.iter().sum::<usize>()..).unwrap_or_default();
    }
    Ok(false)
}

fn list_of(jar: &mut File) -> io::Result<Vec<u8>> {
    let length = jar.metadata()?.len();
    // The last record, and the comment that may follow it.
    let tail = length.min(u64::from(u16::MAX) + END as u64);
    let bytes = read_at(jar, length - tail, tail)?;
    let last = bytes.windows(END_MARK.len()).rposition(|window| window == END_MARK).ok_or_else(no_jar)?;
    let end = bytes.get(last..last + END).ok_or_else(no_jar)?;
    let (size, offset) = (u64::from(long_number(end, 12)), u64::from(long_number(end, 16)));
    if size > LONGEST_LIST || offset + size > length {
        return Err(no_jar());
    }
    read_at(jar, offset, size)
}

fn no_jar() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a jar")
}

fn read_at(file: &mut File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn number(bytes: &[u8], at: usize) -> u16 {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    u16::from_le_bytes(two.unwrap_or_default())
}

fn long_number(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    u32::from_le_bytes(four.unwrap_or_default())
}

/// A jar with these empty entries, for tests.
#[cfg(test)]
pub(crate) fn jar_with(entries: &[&str]) -> Vec<u8> {
    let two = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
    let four = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let mut list = Vec::new();
    for entry in entries {
        list.extend(ENTRY_MARK);
        list.extend([0; 24]);
        list.extend(two(entry.len()));
        list.extend([0; 16]);
        list.extend(entry.as_bytes());
    }
    let mut jar = b"the content comes first".to_vec();
    let offset = jar.len();
    jar.extend(&list);
    jar.extend(END_MARK);
    jar.extend([0; 4]);
    jar.extend(two(entries.len()));
    jar.extend(two(entries.len()));
    jar.extend(four(list.len()));
    jar.extend(four(offset));
    jar.extend(two(7));
    jar.extend(b"comment");
    jar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_found_by_its_whole_name() {
        let at = tempfile::tempdir().unwrap();
        let jar = at.path().join("a.jar");
        std::fs::write(&jar, jar_with(&["META-INF/MANIFEST.MF", "a/b/C.class", "a/b/Cd.class"])).unwrap();
        assert!(has_class(&jar, "a.b.C") && has_class(&jar, "a.b.Cd"));
        assert!(!has_class(&jar, "a.b") && !has_class(&jar, "b.C") && !has_class(&jar, "a.b.D"));
    }

    #[test]
    fn what_is_no_jar_or_is_cut_off_has_no_class() {
        let at = tempfile::tempdir().unwrap();
        let jar = at.path().join("a.jar");
        assert!(!has_class(&jar, "a.B"), "there is no such file");
        let whole = jar_with(&["a/B.class"]);
        let wild = [END_MARK.to_vec(), vec![0xff; 18]].concat();
        let torn = whole[10..].to_vec();
        for content in [Vec::new(), b"text".to_vec(), whole[..whole.len() - 20].to_vec(), wild, torn] {
            std::fs::write(&jar, &content).unwrap();
            assert!(!has_class(&jar, "a.B"), "{content:?}");
        }
    }

    #[test]
    fn jars_are_found_in_folders_and_where_the_kubelet_puts_them() {
        let at = tempfile::tempdir().unwrap();
        for file in ["b.jar", "deep/er/a.jar", "deep/readme.txt", "..2026/c.jar"] {
            let path = at.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("..2026/c.jar", at.path().join("c.jar")).unwrap();
        std::os::unix::fs::symlink(at.path(), at.path().join("round")).unwrap();
        let found = below(at.path());
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(at.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("b.jar"), Path::new("c.jar"), Path::new("deep/er/a.jar")]);
        assert!(below(&at.path().join("none")).is_empty());
    }

    #[test]
    fn what_is_no_file_is_no_jar_and_is_not_waited_for() {
        let at = tempfile::tempdir().unwrap();
        let pipe = at.path().join("pipe.jar");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::fs::create_dir(at.path().join("folder.jar")).unwrap();
        std::fs::write(at.path().join("a.jar"), "").unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let folder = at.path().to_owned();
        std::thread::spawn(move || tell.send((has_class(&pipe, "a.B"), below(&folder))).unwrap());
        let (has, found) = told.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
        assert!(!has && found == [at.path().join("a.jar")], "{found:?}");
    }

    #[test]
    fn a_search_of_very_many_files_ends() {
        let at = tempfile::tempdir().unwrap();
        for folder in 0..3 {
            let folder = at.path().join(folder.to_string());
            std::fs::create_dir(&folder).unwrap();
            for file in 0..MOST_VISITED / 2 {
                File::create(folder.join(file.to_string())).unwrap();
            }
        }
        let mut search = Search { found: Vec::new(), visited: 0 };
        search.add_below(at.path(), DEPTH);
        assert!(search.visited <= MOST_VISITED + DEPTH, "{}", search.visited);
    }
}
