//! The fetcher against a server on the loopback interface: what is right arrives, and what is wrong, endless, hostile or circular ends
//! with words and leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails there")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use plug_in_fetcher::Error;
use plug_in_fetcher::archive::{self, unpack_tgz, unpack_zip};
use plug_in_fetcher::fetch::{Fetcher, Limits, Wanted};
use plug_in_fetcher::maven::{self, Coordinate, Scope};

/// What the server says to a path.
#[derive(Clone)]
enum Answer {
    File(Vec<u8>),
    /// To another address.
    Redirect(String),
    /// A body that never ends.
    Endless,
    /// Head, and then nothing.
    Silent,
}

struct Server {
    address: String,
}

impl Server {
    fn new(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        Self::of(answers.into_iter().map(|(path, answer)| (path.to_owned(), answer)).collect())
    }

    fn of(answers: BTreeMap<String, Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(answers);
        // The threads end with the program.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                thread::spawn(move || drop(serve(stream, &answers)));
            }
        });
        Self { address }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }
}

fn serve(mut stream: TcpStream, answers: &BTreeMap<String, Answer>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    match answers.get(path) {
        None => write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Some(Answer::File(content)) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                content.len()
            )?;
            stream.write_all(content)
        }
        Some(Answer::Redirect(to)) => {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        }
        Some(Answer::Endless) => {
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 8192])?;
            }
        }
        Some(Answer::Silent) => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")?;
            stream.read_exact(&mut byte)
        }
    }
}

fn file(content: &str) -> Answer {
    Answer::File(content.as_bytes().to_vec())
}

fn fetcher() -> Fetcher {
    Fetcher::new(false, Limits { bytes: 100_000, whole: Duration::from_secs(5), ..Limits::default() })
        .unwrap()
}

fn load(url: &str, sha512: Option<&str>, folder: &Path) -> Result<(), Error> {
    fetcher().to_file(&Wanted { url, sha512 }, folder)?.keep_as("a.jar")
}

/// Everything in a folder, with the contents of files.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            assert!(!path.is_symlink(), "{name}");
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
            }
        }
    }
    found
}

/// SHA-512 of `abc`.
const ABC: &str = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

#[test]
fn a_file_arrives_with_the_right_sum_and_nothing_stays_of_one_with_a_wrong_sum() {
    let server = Server::new([("/a", file("abc"))]);
    let folder = tempfile::tempdir().unwrap();
    let error = load(&server.url("/a"), Some(&ABC.replace('d', "e")), folder.path()).unwrap_err().to_string();
    assert!(error.contains("SHA-512") && error.contains(ABC), "{error}");
    assert!(tree(folder.path()).is_empty());
    load(&server.url("/a"), Some(&ABC.to_uppercase()), folder.path()).unwrap();
    assert_eq!(tree(folder.path()), BTreeMap::from([("a.jar".to_owned(), "abc".to_owned())]));
}

#[test]
fn another_host_is_followed_circles_other_schemes_and_missing_files_are_not() {
    let other = Server::new([("/there", file("abc"))]);
    let server = Server::new([
        ("/a", Answer::Redirect(other.url("/there?token=secret"))),
        ("/b", Answer::Redirect(other.url("/there"))),
        ("/circle", Answer::Redirect("/circle".to_owned())),
        ("/etc", Answer::Redirect("file:///etc/passwd".to_owned())),
    ]);
    let folder = tempfile::tempdir().unwrap();
    load(&server.url("/b"), None, folder.path()).unwrap();
    assert_eq!(tree(folder.path())["a.jar"], "abc");
    for (path, words) in
        [("/circle", "10 redirects"), ("/etc", "no address of HTTP"), ("/none", "status 404"), ("/a", "404")]
    {
        let error = load(&server.url(&format!("{path}?password=hunter2")), None, folder.path());
        let error = match error {
            // The query is not of the paths that the server knows.
            Err(error) if error.to_string().contains("404") && path != "/none" => {
                assert!(!error.to_string().contains("hunter2"));
                load(&server.url(path), None, folder.path()).unwrap_err()
            }
            other => other.unwrap_err(),
        };
        let error = error.to_string();
        assert!(
            error.contains(words) && !error.contains("hunter2") && !error.contains("secret"),
            "{path}: {error}"
        );
    }
}

#[test]
fn endless_bodies_and_silent_servers_end() {
    let server = Server::new([("/endless", Answer::Endless), ("/silent", Answer::Silent)]);
    let folder = tempfile::tempdir().unwrap();
    let error = load(&server.url("/endless"), None, folder.path()).unwrap_err().to_string();
    assert!(error.contains("larger than 100000 bytes"), "{error}");
    let limits = Limits { whole: Duration::from_millis(300), ..Limits::default() };
    let fetcher = Fetcher::new(false, limits).unwrap();
    let began = Instant::now();
    let wanted = Wanted { url: &server.url("/silent"), sha512: None };
    assert!(fetcher.to_file(&wanted, folder.path()).is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(tree(folder.path()).is_empty());
}

/// Unpacks an archive into a folder within another, of which nothing but that folder may change.
fn unpack(
    kind: &str,
    content: Vec<u8>,
    limits: archive::Limits,
) -> (Result<(), Error>, BTreeMap<String, String>) {
    let server = Server::new([("/a", Answer::File(content))]);
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("in");
    let loaded = fetcher().to_file(&Wanted { url: &server.url("/a"), sha512: None }, &inner).unwrap();
    let result = match kind {
        "tgz" => unpack_tgz(loaded, &inner, &limits),
        _ => unpack_zip(loaded, &inner, &limits),
    };
    (result, tree(outer.path()))
}

fn tgz(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        let bytes = &mut header.as_old_mut().name;
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o4777);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name(content).unwrap();
            header.set_size(0);
            header.set_cksum();
            builder.append(&header, std::io::empty()).unwrap();
        } else {
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn zip_of(entries: &[(&str, &str)], link: Option<(&str, &str)>) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    if let Some((name, target)) = link {
        writer.add_symlink(name, target, options).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn archives_are_unpacked_without_their_links() {
    use tar::EntryType::{Directory, Regular, Symlink};
    let limits = archive::Limits::default();
    let content = tgz(&[
        ("./c/", Directory, ""),
        ("c/a.jar", Regular, "A"),
        ("c/link", Symlink, "/etc/passwd"),
        ("c/folder", Symlink, "/tmp"),
        ("c/folder/b.jar", Regular, "B"),
    ]);
    let (result, found) = unpack("tgz", content, limits);
    result.unwrap();
    let expected = BTreeMap::from(
        [("in/c/a.jar", "A"), ("in/c/folder/b.jar", "B")].map(|(a, b)| (a.to_owned(), b.to_owned())),
    );
    assert_eq!(found, expected);
    let content = zip_of(&[("c/a.jar", "A"), ("c/folder/b.jar", "B")], Some(("c/link", "/etc/passwd")));
    let (result, found) = unpack("zip", content, limits);
    result.unwrap();
    assert_eq!(found, expected);
}

#[test]
fn archives_that_lead_out_of_the_folder_are_too_large_or_hold_devices_are_refused() {
    use tar::EntryType::{Block, Link, Regular};
    let limits = archive::Limits { bytes: 1000, entries: 3 };
    let large = "x".repeat(1001);
    let many: Vec<(String, &str)> = (0..4).map(|number| (number.to_string(), "")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    for (kind, content, words) in [
        ("tgz", tgz(&[("../evil", Regular, "x")]), "leads out"),
        ("tgz", tgz(&[("/tmp/evil-of-a-test", Regular, "x")]), "leads out"),
        ("tgz", tgz(&[("a/../../evil", Regular, "x")]), "leads out"),
        ("tgz", tgz(&[("evil", Link, "/etc/passwd")]), "neither a file nor a folder"),
        ("tgz", tgz(&[("evil", Block, "")]), "neither a file nor a folder"),
        ("tgz", tgz(&[("large", Regular, &large)]), "too large"),
        ("tgz", b"no archive".to_vec(), "cannot unpack"),
        ("zip", zip_of(&[("../evil", "x")], None), "leads out"),
        ("zip", zip_of(&[("a\\..\\..\\evil", "x")], None), "leads out"),
        ("zip", zip_of(&[("/tmp/evil-of-a-test", "x")], None), "leads out"),
        ("zip", zip_of(&[("large", &large)], None), "too large"),
        ("zip", zip_of(&many, None), "too many"),
        ("zip", b"no archive".to_vec(), "cannot unpack"),
    ] {
        let (result, found) = unpack(kind, content, limits);
        let error = result.unwrap_err().to_string();
        assert!(error.contains(words), "{kind} {words}: {error}");
        assert!(found.keys().all(|name| name.starts_with("in/")), "{found:?}");
    }
    assert!(!Path::new("/tmp/evil-of-a-test").exists());
}

/// A repository out of POMs; each has a jar.
struct Repository(BTreeMap<String, Answer>);

impl Repository {
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn add(mut self, coordinate: &str, body: &str) -> Self {
        let parts: Vec<&str> = coordinate.split(':').collect();
        let [group, artifact, version] = parts[..] else { panic!("{coordinate}") };
        let path = format!("/{}/{artifact}/{version}/{artifact}-{version}", group.replace('.', "/"));
        let pom = format!(
            "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><groupId>{group}</groupId>\
             <artifactId>{artifact}</artifactId><version>{version}</version>{body}</project>"
        );
        self.0.insert(format!("{path}.pom"), file(&pom));
        self.0.insert(format!("{path}.jar"), file(coordinate));
        self
    }

    fn with(mut self, path: &str, content: &str) -> Self {
        self.0.insert(path.to_owned(), file(content));
        self
    }

    fn bring(self, coordinate: &str, scope: Scope) -> Result<Vec<String>, String> {
        let server = Server::of(self.0);
        let parts: Vec<String> = coordinate.split(':').map(str::to_owned).collect();
        let [group, artifact, version] = <[String; 3]>::try_from(parts).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let repositories = maven::repositories(Some(server.url("/")), vec![server.url("/mirror")]);
        let wanted = Coordinate { group, artifact, version };
        let names = maven::bring(&fetcher(), repositories, &wanted, scope, folder.path())
            .map_err(|error| error.to_string())?;
        assert_eq!(tree(folder.path()).into_keys().collect::<Vec<_>>(), names);
        Ok(names)
    }
}

fn needs(coordinate: &str, more: &str) -> String {
    let parts: Vec<&str> = coordinate.split(':').collect();
    let version = parts.get(2).map(|version| format!("<version>{version}</version>")).unwrap_or_default();
    format!(
        "<dependency><groupId>{}</groupId><artifactId>{}</artifactId>{version}{more}</dependency>",
        parts[0], parts[1]
    )
}

fn all(dependencies: &[String]) -> String {
    format!("<dependencies>{}</dependencies>", dependencies.concat())
}

#[test]
fn an_artifact_comes_with_what_it_needs_to_run() {
    let repository = Repository::new()
        .add(
            "g:parent:1",
            &format!(
                "<properties><v>1</v><w>${{v}}</w></properties><dependencyManagement>{}</dependencyManagement>",
                all(&[needs("g:managed:7", ""), needs("g:bom:1", "<type>pom</type><scope>import</scope>")])
            ),
        )
        .add("g:bom:1", &format!("<dependencyManagement>{}</dependencyManagement>", all(&[needs("g:imported:8", "")])))
        .add(
            "g:a:1",
            &format!(
                "<parent><groupId>g</groupId><artifactId>parent</artifactId><version>1</version></parent>{}",
                all(&[
                    needs("g:b:${w}", ""),
                    needs("${project.groupId}:managed", ""),
                    needs("g:imported", ""),
                    needs("g:run:1", "<scope>runtime</scope>"),
                    needs("g:provided:1", "<scope>provided</scope>"),
                    needs("g:test:1", "<scope>test</scope>"),
                    needs("g:optional:1", "<optional>true</optional>"),
                    needs("g:deep:1", "<exclusions><exclusion><groupId>g</groupId><artifactId>out</artifactId></exclusion></exclusions>"),
                    needs("g:near:2", ""),
                    needs("g:old:1", ""),
                ])
            ),
        )
        .add("g:b:1", "")
        .add("g:managed:7", "")
        .add("g:imported:8", "")
        .add("g:run:1", &all(&[needs("g:under-run:1", "")]))
        .add("g:under-run:1", "")
        .add("g:deep:1", &all(&[needs("g:near:1", ""), needs("g:out:1", "")]))
        .add("g:near:1", "")
        .add("g:near:2", "")
        .add("g:new:1", "")
        .add("g:old:1", "<distributionManagement><relocation><artifactId>new</artifactId></relocation></distributionManagement>");
    let expected =
        ["a-1", "b-1", "deep-1", "imported-8", "managed-7", "near-2", "new-1", "run-1", "under-run-1"];
    let names = repository.bring("g:a:1", Scope::Runtime).unwrap();
    assert_eq!(names, expected.map(|name| format!("{name}.jar")));
}

#[test]
fn what_is_needed_to_run_alone_does_not_come_to_compile() {
    let repository = || {
        Repository::new()
            .add("g:a:1", &all(&[needs("g:c:1", ""), needs("g:r:1", "<scope>runtime</scope>")]))
            .add("g:c:1", "")
            .add("g:r:1", "")
    };
    assert_eq!(repository().bring("g:a:1", Scope::Compile).unwrap(), ["a-1.jar", "c-1.jar"]);
    assert!(repository().bring("g:a:1", Scope::Nothing).unwrap().is_empty());
}

#[test]
fn circles_of_poms_end() {
    let parent = |name: &str| {
        format!("<parent><groupId>g</groupId><artifactId>{name}</artifactId><version>1</version></parent>")
    };
    let repository = Repository::new().add("g:a:1", &parent("b")).add("g:b:1", &parent("a"));
    assert!(repository.bring("g:a:1", Scope::Runtime).unwrap_err().contains("parents"));
    let import = |name: &str| {
        let needs = needs(&format!("g:{name}:1"), "<type>pom</type><scope>import</scope>");
        format!("<dependencyManagement>{}</dependencyManagement>", all(&[needs]))
    };
    let repository = Repository::new().add("g:a:1", &import("b")).add("g:b:1", &import("a"));
    assert!(repository.bring("g:a:1", Scope::Runtime).unwrap_err().contains("imports"));
    let moved = |name: &str| {
        format!(
            "<distributionManagement><relocation><artifactId>{name}</artifactId></relocation></distributionManagement>"
        )
    };
    let repository = Repository::new().add("g:a:1", &moved("b")).add("g:b:1", &moved("a"));
    assert!(repository.bring("g:a:1", Scope::Runtime).unwrap_err().contains("circle"));
    let repository =
        Repository::new().add("g:a:1", &all(&[needs("g:b:1", "")])).add("g:b:1", &all(&[needs("g:a:1", "")]));
    assert_eq!(repository.bring("g:a:1", Scope::Runtime).unwrap(), ["a-1.jar", "b-1.jar"]);
    let properties = "<properties><x>${y}${y}</x><y>${x}${x}</y></properties>";
    let repository =
        Repository::new().add("g:a:1", &(properties.to_owned() + &all(&[needs("g:b:${x}", "")])));
    assert!(repository.bring("g:a:1", Scope::Runtime).is_err());
}

#[test]
fn what_is_missing_hostile_or_changed_is_told() {
    let repository = Repository::new().add("g:a:1", &all(&[needs("g:b:1", "")]));
    let error = repository.bring("g:a:1", Scope::Runtime).unwrap_err();
    assert!(error.contains("/mirror/g/b/1/b-1.pom: status 404"), "{error}");
    for version in ["../../../x", "[1,2)", "${unknown}", "1/2", ""] {
        let repository = Repository::new().add("g:a:1", &all(&[needs(&format!("g:b:{version}"), "")]));
        let error = repository.bring("g:a:1", Scope::Runtime).unwrap_err();
        assert!(error.contains("no coordinate") || error.contains("no version"), "{version}: {error}");
    }
    let repository = Repository::new().add("g:a:1", "").with("/g/a/1/a-1.jar.sha1", "00 a-1.jar");
    assert!(repository.bring("g:a:1", Scope::Runtime).unwrap_err().contains("SHA-1"));
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\">]><project><artifactId>&a;</artifactId></project>";
    let repository = Repository::new().with("/g/a/1/a-1.pom", bomb);
    assert!(repository.bring("g:a:1", Scope::Runtime).unwrap_err().contains("cannot be read"));
}

/// Runs the program with a list; whether it ended well, and what it said.
fn by_list(list: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.json");
    fs::write(&path, list).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_plug-in-fetcher")).arg("all").arg(&path).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_list_is_carried_out_as_a_whole_or_not_begun() {
    let server = Server::new([("/a", file("abc"))]);
    let folder = tempfile::tempdir().unwrap();
    let item = |place: &str, name: &str| {
        let to = folder.path().join(place);
        format!("[\"file\", \"--to={}\", \"--name={name}\", \"--url={}\"]", to.display(), server.url("/a"))
    };
    for (list, words) in [
        (format!("[{}, [\"shell\", \"-c\"]]", item("a/0", "x.jar")), "item 1"),
        (format!("[{}, [\"all\", \"/etc/passwd\"]]", item("a/0", "x.jar")), "item 1"),
        ("{}".to_owned(), "list.json is no list of commands"),
    ] {
        let (ended_well, said) = by_list(&list);
        assert!(!ended_well && said.contains(words), "{said}");
        assert!(tree(folder.path()).is_empty());
    }
    let (ended_well, said) =
        by_list(&format!("[{}, {}]", item("a/0", "x.jar"), item("b/1", "it's \\u0022y")));
    assert!(ended_well, "{said}");
    let expected = [("a/0/x.jar", "abc"), ("b/1/it's \"y", "abc")];
    let expected = expected.map(|(name, content)| (name.to_owned(), content.to_owned()));
    assert_eq!(tree(folder.path()), BTreeMap::from(expected));
}
