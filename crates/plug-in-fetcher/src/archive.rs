//! Archives, unpacked into a folder and never out of it: no path that leads elsewhere, no links, no devices, and no more than the bounds.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::Error;
use crate::fetch::{Loaded, make_folder, make_readable};

/// Bounds of what an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files and folders.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 * 1024 * 1024 * 1024, entries: 100_000 }
    }
}

/// Puts entries into a folder.
struct Unpacker<'a> {
    folder: &'a Path,
    left: Limits,
}

impl<'a> Unpacker<'a> {
    fn new(folder: &'a Path, limits: &Limits) -> Result<Self, Error> {
        make_folder(folder)?;
        Ok(Self { folder, left: *limits })
    }

    /// Where an entry goes. No link is ever made, so that a path without `..` stays in the folder.
    fn place(&mut self, name: &Path) -> Result<PathBuf, Error> {
        let entries = self.left.entries.checked_sub(1);
        self.left.entries = entries.ok_or_else(|| Error::Archive("it has too many files".to_owned()))?;
        let mut place = self.folder.to_owned();
        for component in name.components() {
            match component {
                Component::Normal(part) => place.push(part),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(Error::Archive(format!(
                        "{:?} leads out of the folder",
                        name.display().to_string()
                    )));
                }
            }
        }
        Ok(place)
    }

    fn file(&mut self, place: &Path, content: &mut impl Read) -> Result<(), Error> {
        if let Some(folder) = place.parent() {
            make_folder(folder)?;
        }
        let mut file = File::create(place).map_err(Error::file("make", place))?;
        // What an archive says of its sizes may be wrong.
        let copied = io::copy(&mut content.take(self.left.bytes.saturating_add(1)), &mut file)
            .map_err(Error::file("unpack", place))?;
        let left = self.left.bytes.checked_sub(copied);
        self.left.bytes =
            left.ok_or_else(|| Error::Archive("its files are too large together".to_owned()))?;
        make_readable(place)
    }
}

fn skipped(name: &Path) {
    eprintln!("{}: a link is left out", name.display());
}

/// Unpacks a compressed tar archive. Symbolic links are left out.
///
/// # Errors
/// When it is none, or holds something that is not unpacked.
pub fn unpack_tgz(archive: Loaded, folder: &Path, limits: &Limits) -> Result<(), Error> {
    let mut unpacker = Unpacker::new(folder, limits)?;
    let file = File::open(archive.path()).map_err(Error::file("read", archive.path()))?;
    // What is skipped costs time too, and no part of it was counted yet: the bound holds for all that is decompressed, with room for
    // the heads of the entries.
    let most = limits.bytes.saturating_add(limits.entries as u64 * 2048);
    let mut tar = tar::Archive::new(MultiGzDecoder::new(BufReader::new(file)).take(most));
    let wrong = |error: io::Error| Error::Archive(error.to_string());
    for entry in tar.entries().map_err(wrong)? {
        let mut entry = entry.map_err(wrong)?;
        let name = entry.path().map_err(wrong)?.into_owned();
        let place = unpacker.place(&name)?;
        match entry.header().entry_type() {
            EntryType::Directory => make_folder(&place)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                unpacker.file(&place, &mut entry)?;
            }
            EntryType::Symlink => skipped(&name),
            EntryType::XGlobalHeader => {}
            other => {
                let name = name.display().to_string();
                return Err(Error::Archive(format!("{name:?} is neither a file nor a folder ({other:?})")));
            }
        }
    }
    drop(archive);
    Ok(())
}

/// Unpacks a ZIP archive. Symbolic links are left out.
///
/// # Errors
/// When it is none, or holds something that is not unpacked.
pub fn unpack_zip(archive: Loaded, folder: &Path, limits: &Limits) -> Result<(), Error> {
    let mut unpacker = Unpacker::new(folder, limits)?;
    let file = File::open(archive.path()).map_err(Error::file("read", archive.path()))?;
    let wrong = |error: zip::result::ZipError| Error::Archive(error.to_string());
    let mut zip = zip::ZipArchive::new(BufReader::new(file)).map_err(wrong)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(wrong)?;
        // Some tools write the separators of another system.
        let name = PathBuf::from(entry.name().map_err(wrong)?.replace('\\', "/"));
        if name.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(Error::Archive(format!("{:?} is no name of a file", name.display().to_string())));
        }
        let place = unpacker.place(&name)?;
        if entry.is_symlink() {
            skipped(&name);
        } else if entry.is_dir() {
            make_folder(&place)?;
        } else {
            unpacker.file(&place, &mut entry)?;
        }
    }
    drop(archive);
    Ok(())
}
