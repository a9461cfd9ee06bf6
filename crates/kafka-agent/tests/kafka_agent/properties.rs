//! Properties as the agent writes and reads them against Java's own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use kafka_agent::properties::{self, Properties};
use kafka_agent::render::{Source, render};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Prints what Java reads from numbered files, in hexadecimal UTF-16: FILE NAME VALUE, or FILE and `refused`.
const READER: &str = r#"
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;

public class Reader {
    static String hex(String text) {
        StringBuilder hex = new StringBuilder("x");
        for (char unit : text.toCharArray()) hex.append(String.format("%04x", (int) unit));
        return hex.toString();
    }
    public static void main(String[] arguments) throws IOException {
        PrintStream out = new PrintStream(new BufferedOutputStream(System.out));
        for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
            Properties properties = new Properties();
            Path path = Path.of(arguments[0], Integer.toString(i));
            // As Kafka reads its configuration; and as its configuration providers read theirs.
            try {
                if (arguments[2].equals("stream")) {
                    try (InputStream stream = Files.newInputStream(path)) { properties.load(stream); }
                } else {
                    try (BufferedReader reader = Files.newBufferedReader(path, StandardCharsets.UTF_8)) { properties.load(reader); }
                }
            } catch (IllegalArgumentException refused) {
                out.println(i + " refused");
                continue;
            }
            for (String name : properties.stringPropertyNames()) out.println(i + " " + hex(name) + " " + hex(properties.getProperty(name)));
        }
        out.flush();
    }
}
"#;

type Entries = BTreeMap<String, String>;

/// What Java reads from each text; `None`: it refuses it.
fn java_reads(texts: &[String], mode: &str) -> Vec<Option<Entries>> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("Reader.java");
    std::fs::write(&program, READER).unwrap();
    for (number, text) in texts.iter().enumerate() {
        std::fs::write(folder.path().join(number.to_string()), text).unwrap();
    }
    let output = Command::new("java")
        .arg(&program)
        .arg(folder.path())
        .arg(texts.len().to_string())
        .arg(mode)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut read = vec![Some(Entries::new()); texts.len()];
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let number: usize = fields[0].parse().unwrap();
        match fields[1..] {
            [name, value] => {
                read[number].as_mut().unwrap().insert(characters(name), characters(value));
            }
            _ => read[number] = None,
        }
    }
    read
}

/// Java's text as Rust can hold it: half of a pair of units is no character.
fn characters(hexadecimal_text: &str) -> String {
    let digits = &hexadecimal_text.as_bytes()[1..];
    let units =
        digits.chunks(4).map(|unit| u16::from_str_radix(std::str::from_utf8(unit).unwrap(), 16).unwrap());
    hexadecimal(&String::from_utf16_lossy(&units.collect::<Vec<_>>()))
}

fn hexadecimal(text: &str) -> String {
    text.encode_utf16().fold("x".to_owned(), |mut hexadecimal, unit| {
        write!(hexadecimal, "{unit:04x}").unwrap();
        hexadecimal
    })
}

fn entries(properties: &Properties) -> Entries {
    properties.iter().map(|(name, value)| (hexadecimal(name), hexadecimal(value))).collect()
}

/// Many values of a strategy, the same ones each time.
fn samples<T: std::fmt::Debug>(count: usize, strategy: &impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

struct Everywhere(String);

impl Source for Everywhere {
    fn variable(&self, _: &str) -> Option<String> {
        Some(self.0.clone())
    }
    fn file(&self, _: &Path) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

#[test]
fn kafka_reads_what_was_meant() {
    let special = "[ \t\u{c}\n\r=:#!\\\\untrf0aä😀\u{85}\u{2028}]{0,10}";
    let any = || prop_oneof![special.prop_map(|text| text), any::<String>()];
    let cases = samples(1500, &(any(), any(), any()));
    let mut texts = Vec::new();
    let mut meant = Vec::new();
    for (name, value, secret) in cases {
        // The user's value, and one that the agent looks up.
        let written: Properties = [
            (name.as_str(), value.as_str()),
            ("looked.up", "a${strimzienv:V}b"),
            ("dir", "${strimzidir:/mnt/d:f}"),
        ]
        .into_iter()
        .collect();
        let rendered =
            render("server.config", &written.to_text(), &Everywhere(secret.clone())).unwrap().properties;
        let mut expected = written;
        expected.set("looked.up", format!("a{secret}b"));
        expected.set("dir", secret);
        texts.push(rendered.to_text());
        meant.push(Some(entries(&expected)));
    }
    let read = java_reads(&texts, "stream");
    for ((text, meant), read) in texts.iter().zip(meant).zip(read) {
        assert_eq!(read, meant, "{text:?}");
    }
}

#[test]
fn the_agent_reads_what_java_reads() {
    let mut texts = samples(
        3000,
        &"([ab=:#!\\\\ \t\u{c}ä😀]|\n|\r|\r\n|\\\\\n|\\\\\r\n|\\\\\r|\\\\u00e4|\\\\u|\\\\ud83d\\\\ude00){0,14}",
    );
    texts.extend(["\\", "\\\n", "\\\r\n", "\\\r", "a=\\", "\\\n#b\nc=d", "a\\\n\nb"].map(str::to_owned));
    let read = java_reads(&texts, "reader");
    assert!(read.iter().any(Option::is_none), "some are refused");
    for (text, read) in texts.iter().zip(read) {
        assert_eq!(properties::parse(text).ok().as_ref().map(entries), read, "{text:?}");
    }
}
